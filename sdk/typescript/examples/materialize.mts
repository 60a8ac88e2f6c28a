import { configureExplorer, followRun, getRun, listBills, materializeAsset, ProblemError } from '@parliament-explorer/sdk'

configureExplorer({ baseUrl: process.env.EXPLORER_URL ?? 'http://127.0.0.1:8080' })

const { data: run } = await materializeAsset({ path: { asset: 'fetch_latest_bills' }, body: { config: { limit: 10 } } })
for await (const event of followRun(run.id)) console.log(event.at, event.level, event.message)

const { data: ended } = await getRun({ path: { run_id: run.id } })
console.log(ended.status, ended.materializations[0]?.metadata)

const { data: bills } = await listBills({ query: { limit: 3 } })
for (const bill of bills.items) console.log(bill.id, bill.title.en, '/', bill.title.fr)

await materializeAsset({ path: { asset: 'fetch_latest_bills' }, body: { config: { limit: 501 } } }).catch((error: unknown) => {
  if (error instanceof ProblemError) console.log(error.status, error.errors[0]?.pointer, error.errors[0]?.detail)
})
