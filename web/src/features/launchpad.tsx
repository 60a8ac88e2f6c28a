import { type Asset, materializeAsset, startJobRun, startRun } from '@parliament-explorer/sdk'
import Form from '@rjsf/core'
import type { ErrorSchema, RJSFSchema, UiSchema } from '@rjsf/utils'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Play, RotateCcw } from 'lucide-react'
import { useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { partitionsQuery, recentRunsQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { serverFlag, serverUrl } from '../lib/base'
import {
  type Config,
  type ConfigError,
  type Format,
  formatConfig,
  isObject,
  joinConfigs,
  loadYaml,
  parseConfig,
  parseTags,
  runFlags,
  shellQuote,
  splitConfig,
} from '../lib/config'
import { dateTime, shortId } from '../lib/format'
import { fieldOf, mistakesOf } from '../lib/mistakes'
import { schemaIn } from '../lib/schema-language'
import { validator } from '../lib/validator'
import { Act, useRefusal } from '../ui/act'
import { newIdempotencyKey } from '../ui/actions'
import { Card, Command } from '../ui/basics'
import { Guard } from '../ui/guard'
import { loadPart } from '../ui/load-part'
import { fieldErrors, Problem } from '../ui/problem'

const ConfigEditor = loadPart(async () => (await import('./config-editor')).default)

type Mode = 'form' | Format

const uiSchema: UiSchema = { 'ui:submitButtonOptions': { norender: true }, 'ui:options': { label: false } }

/** What the launchpad is filled with at first. */
export interface LaunchFill {
  config?: Config
  tags?: string
  partition?: string
  priority?: number
}

interface LaunchProps {
  assets: Asset[]
  job?: string
  fill?: LaunchFill
}

const priorities = [1, 2, 3, 4] as const

/**
 * Starts a run of an asset, of several assets or of a job. The config is entered in a form generated from its JSON
 * Schema, or as JSON or YAML.
 */
export default function Launchpad(props: LaunchProps) {
  return (
    <Guard>
      <LaunchForm {...props} />
    </Guard>
  )
}

function LaunchForm({ assets, job, fill = {} }: LaunchProps) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const id = useId()
  const names = assets.map((a) => a.name)
  const defaults = (): Record<string, Config> => {
    const given = Object.fromEntries(splitConfig(names, fill.config ?? {}).map((p) => [p.asset, p.config]))
    return Object.fromEntries(assets.map((a) => [a.name, { ...(a.default_config as Config), ...given[a.name] }]))
  }
  const [mode, setMode] = useState<Mode>('form')
  const [configs, setConfigs] = useState(defaults)
  const [text, setText] = useState('')
  const [tags, setTags] = useState(fill.tags ?? '')
  const [tried, setTried] = useState(false)
  const [partition, setPartition] = useState(fill.partition ?? '')
  const [priority, setPriority] = useState(fill.priority)
  const partitioned = assets.find((a) => a.partitions)
  const key = useRef(newIdempotencyKey())
  const forms = useRef(new Map<string, Form>())
  const refusal = useRefusal()

  const parsed: ParsedConfig = mode === 'form' ? { config: joinConfigs(names, configs) } : tryParseConfig(text, mode)
  const wrongTag = invalidTag(tags)
  const localErrors: ConfigError[] =
    parsed.config && !partition
      ? splitConfig(names, parsed.config).flatMap((p) =>
          mistakesOf(schemaOf(assets, p.asset), p.config).map((f) => ({ ...f, pointer: p.pointer + f.pointer })),
        )
      : []

  const request = { config: parsed.config ?? {}, partition: partition.trim() || undefined, priority }
  const start = useMutation({
    mutationFn: () => {
      const body = { ...request, tags: parseTags(tags) }
      const headers = { 'Idempotency-Key': key.current }
      if (job) return startJobRun({ path: { job }, body, headers })
      return names.length === 1
        ? materializeAsset({ path: { asset: names[0]! }, body, headers })
        : startRun({ body: { assets: names, ...body }, headers })
    },
    onSuccess: ({ data }) => {
      toast.good(t('launch.started', { id: shortId(data.id) }))
      void navigate({ to: '/runs/$runId', params: { runId: data.id } })
    },
    onSettled: () => (key.current = newIdempotencyKey()),
  })
  const rejected = fieldErrors(start.error)
  // Errors that the form shows beside their fields are not listed again.
  const beside = mode === 'form' ? rejected.filter((e) => assets.some((a) => fieldAt(e.pointer, a, assets))) : []

  const change = async (to: Mode) => {
    if (to === mode) return
    try {
      if (to === 'yaml') await loadYaml()
    } catch (error) {
      return toast.bad(error)
    }
    if (to === 'form') {
      if (parsed.config)
        setConfigs({
          ...configs,
          ...Object.fromEntries(splitConfig(names, parsed.config).map((p) => [p.asset, p.config])),
        })
    } else setText(formatConfig(parsed.config ?? joinConfigs(names, configs), to))
    setMode(to)
  }
  const edited = (set: () => void) => {
    set()
    if (start.error) start.reset()
  }
  const curl = (path: string, body: object) =>
    `curl -X POST ${serverUrl(path)} -H 'Content-Type: application/json' -d ${shellQuote(body)}`
  const tagged = { ...request, ...(tags.trim() && !wrongTag && { tags: parseTags(tags) }) }
  const command =
    names.length > 1 && !job
      ? curl('runs', { assets: names, ...tagged })
      : `explorer ${job ? `jobs run ${job}` : `materialize ${names[0]}`}${runFlags(tagged)}${serverFlag}`

  return (
    <Card
      title={t('launch.config')}
      actions={
        <div className="segmented" role="radiogroup" aria-label={t('launch.config')}>
          {(['form', 'json', 'yaml'] as const).map((m) => (
            <button key={m} type="button" role="radio" aria-checked={mode === m} onClick={() => void change(m)}>
              {t(`launch.${m}`)}
            </button>
          ))}
        </div>
      }
      padded
    >
      <form
        className="stack loose"
        noValidate
        onSubmit={(e) => {
          e.preventDefault()
          if (refusal !== undefined || !parsed.config || wrongTag || start.isPending) return
          if (localErrors.length > 0) {
            setTried(true)
            for (const form of forms.current.values()) form.validateForm()
            const at = mode === 'form' ? errorField(localErrors[0]!, names) : `${id}text`
            document.getElementById(at)?.focus()
          } else start.mutate()
        }}
      >
        <RecentConfigs
          names={names}
          job={job}
          onChoose={(chosen) =>
            edited(() => {
              const next = { ...configs, ...chosen }
              setConfigs(next)
              if (mode !== 'form') setText(formatConfig(joinConfigs(names, next), mode))
            })
          }
        />
        {mode === 'form' ? (
          assets.map((asset) => (
            <ConfigForm
              key={asset.name}
              asset={asset}
              single={assets.length === 1}
              config={configs[asset.name] ?? {}}
              onForm={(form) => void (form ? forms.current.set(asset.name, form) : forms.current.delete(asset.name))}
              serverErrors={formErrors(rejected, asset.name, names.length === 1)}
              onChange={(config) => edited(() => setConfigs((old) => ({ ...old, [asset.name]: config })))}
            />
          ))
        ) : (
          <ConfigText
            id={id + 'text'}
            format={mode}
            assets={assets}
            text={text}
            parsed={parsed}
            errors={localErrors}
            onChange={(text) => edited(() => setText(text))}
          />
        )}
        <div className="field" style={{ maxWidth: '32rem' }}>
          {partitioned && (
            <PartitionField
              asset={partitioned}
              value={partition}
              onChange={(value) => edited(() => setPartition(value))}
            />
          )}
          <label htmlFor={id + 'tags'}>{t('launch.tags')}</label>
          <input
            id={id + 'tags'}
            type="text"
            value={tags}
            aria-invalid={wrongTag !== undefined}
            aria-describedby={id + 'tags-help'}
            onChange={(e) => edited(() => setTags(e.target.value))}
          />
          <p id={id + 'tags-help'} className="small" style={{ color: wrongTag ? 'var(--bad)' : 'var(--muted)' }}>
            {wrongTag ? t('launch.badTag', { tag: wrongTag }) : t('launch.tagsHelp')}
          </p>
          <label htmlFor={id + 'priority'}>{t('run.priority')}</label>
          <select
            id={id + 'priority'}
            value={priority ?? ''}
            onChange={(e) => edited(() => setPriority(Number(e.target.value) || undefined))}
          >
            <option value="">{t(job ? 'launch.priorityOfJob' : 'launch.priorityUsual')}</option>
            {priorities.map((p) => (
              <option key={p} value={p}>
                {t(`priority.p${p}`)}
              </option>
            ))}
          </select>
        </div>
        {tried && localErrors.length > 0 && (
          <p className="notice bad" role="alert">
            {t('launch.fixFirst')}
          </p>
        )}
        {start.error &&
          (beside.length > 0 && beside.length === rejected.length ? (
            <div className="notice bad" role="alert">
              <strong>{t('launch.refused')}</strong>
              <p>{t('launch.fixFirst')}</p>
            </div>
          ) : (
            <Problem error={start.error} title={t('launch.refused')} />
          ))}
        <div className="row wrap">
          <Act
            type="submit"
            className="btn primary"
            disabled={!parsed.config || wrongTag !== undefined || start.isPending}
          >
            <Play size={16} aria-hidden />
            {start.isPending ? t('launch.starting') : job ? t('launch.startJob') : t('launch.start')}
          </Act>
          <button
            type="button"
            className="btn"
            onClick={() =>
              edited(() => {
                setConfigs(defaults())
                if (mode !== 'form') setText(formatConfig(joinConfigs(names, defaults()), mode))
              })
            }
          >
            <RotateCcw size={15} aria-hidden />
            {t('launch.reset')}
          </button>
        </div>
        <details>
          <summary>{t('launch.command')}</summary>
          <p style={{ marginTop: '0.5rem' }}>
            <Command>{command}</Command>
          </p>
        </details>
      </form>
    </Card>
  )
}

/** The form for the config of one asset, generated from its JSON Schema. */
function ConfigForm({
  asset,
  single,
  config,
  serverErrors,
  onForm,
  onChange,
}: {
  asset: Asset
  single: boolean
  config: Config
  serverErrors?: ErrorSchema
  onForm: (form: Form | null) => void
  onChange: (config: Config) => void
}) {
  const { t, i18n } = useTranslation()
  return (
    <div className="stack">
      {!single && <h3>{asset.name}</h3>}
      {Object.keys((asset.config_schema as RJSFSchema).properties ?? {}).length === 0 ? (
        <p className="muted">{t('launch.noConfig')}</p>
      ) : (
        <Form
          ref={onForm}
          tagName="div"
          className="rjsf"
          idPrefix={`config-${asset.name}`}
          schema={schemaIn(withoutTitle(asset.config_schema as RJSFSchema), i18n.language)}
          uiSchema={uiSchema}
          validator={validator}
          formData={config}
          onChange={({ formData }) => onChange((formData ?? {}) as Config)}
          extraErrors={serverErrors}
          liveValidate="onChange"
          showErrorList={false}
          noHtml5Validate
          focusOnFirstError={false}
        >
          <></>
        </Form>
      )}
    </div>
  )
}

interface ParsedConfig {
  config?: Config
  /** The syntax error, if any. */
  reason?: string
}

/** The config as text, with its errors. */
function ConfigText({
  id,
  format,
  assets,
  text,
  parsed,
  errors,
  onChange,
}: {
  id: string
  format: Format
  assets: Asset[]
  text: string
  parsed: ParsedConfig
  errors: ConfigError[]
  onChange: (text: string) => void
}) {
  const { t, i18n } = useTranslation()
  const schemas = assets.map((a) => ({ name: a.name, schema: schemaIn(a.config_schema as object, i18n.language) }))
  return (
    <div className="field">
      <span className="label" aria-hidden>
        {format.toUpperCase()}
      </span>
      <ConfigEditor
        id={id}
        label={format.toUpperCase()}
        format={format}
        text={text}
        invalid={!parsed.config || errors.length > 0}
        describedBy={id + 'help'}
        assets={schemas}
        onChange={onChange}
      />
      <p id={id + 'help'} className="muted small break">
        {t('launch.opsHelp', {
          example: JSON.stringify({ ops: { [assets[0]!.name]: { config: assets[0]!.default_config } } }),
        })}
      </p>
      <div role="status">
        {!parsed.config ? (
          <p className="notice bad">
            {parsed.reason
              ? t('launch.notParsed', { format: format.toUpperCase(), reason: parsed.reason })
              : t('launch.notObject')}
          </p>
        ) : (
          errors.length > 0 && (
            <ul className="notice warn">
              {errors.map((f) => (
                <li key={f.pointer + f.detail}>
                  <code>{f.pointer || '/'}</code> {f.detail}
                </li>
              ))}
            </ul>
          )
        )}
      </div>
    </div>
  )
}

/** The partition of the run, with the latest keys as suggestions. */
function PartitionField({
  asset,
  value,
  onChange,
}: {
  asset: Asset
  value: string
  onChange: (value: string) => void
}) {
  const { t } = useTranslation()
  const id = useId()
  const keys = useQuery(partitionsQuery(asset.name))
  return (
    <>
      <label htmlFor={id + 'partition'}>{t('launch.partition', { set: asset.partitions?.name })}</label>
      <input
        id={id + 'partition'}
        type="text"
        list={id + 'keys'}
        value={value}
        required={asset.partitions?.required}
        aria-describedby={id + 'partition-help'}
        onChange={(e) => onChange(e.target.value)}
      />
      <datalist id={id + 'keys'}>
        {keys.data?.items
          .slice(-500)
          .reverse()
          .map((p) => (
            <option key={p.key} value={p.key} />
          ))}
      </datalist>
      <p id={id + 'partition-help'} className="small muted">
        {t(asset.partitions?.required ? 'launch.partitionRequired' : 'launch.partitionHelp')}
      </p>
    </>
  )
}

/** The configs of the last runs of the job or of the first asset, to choose from. */
function RecentConfigs({
  names,
  job,
  onChoose,
}: {
  names: string[]
  job?: string
  onChoose: (configs: Record<string, Config>) => void
}) {
  const { t, i18n } = useTranslation()
  const id = useId()
  const runs = useQuery(recentRunsQuery(job ? { job } : { asset: names[0] }, 30))
  const found = new Map<string, { configs: Record<string, Config>; at: string }>()
  for (const run of runs.data?.items ?? []) {
    const parts = splitConfig(run.assets, run.config as Config).filter((p) => names.includes(p.asset))
    const text = JSON.stringify(joinConfigs(names, Object.fromEntries(parts.map((p) => [p.asset, p.config]))))
    if (parts.length > 0 && !found.has(text))
      found.set(text, { configs: Object.fromEntries(parts.map((p) => [p.asset, p.config])), at: run.created_at })
  }
  return (
    <div className="field" style={{ maxWidth: '32rem' }}>
      <label htmlFor={id}>{t('launch.recent')}</label>
      <select
        id={id}
        value=""
        disabled={found.size === 0}
        onChange={(e) => {
          const chosen = found.get(e.target.value)
          if (chosen) onChoose(chosen.configs)
        }}
      >
        <option value="">{t(found.size > 0 ? 'launch.recentChoose' : 'launch.recentNone')}</option>
        {[...found].slice(0, 10).map(([text, { at }]) => (
          <option key={text} value={text}>
            {`${text.length > 80 ? text.slice(0, 79) + '…' : text} · ${dateTime(new Date(at), i18n.language)}`}
          </option>
        ))}
      </select>
    </div>
  )
}

/** Whether the form of an asset has a field for the server's pointer. */
function fieldAt(pointer: string, asset: Asset, all: Asset[]): boolean {
  const prefix = all.length === 1 ? '/config/' : `/config/ops/${asset.name}/config/`
  const nested = `/config/ops/${asset.name}/config/`
  const path = pointer.startsWith(nested) ? pointer.slice(nested.length) : pointer.slice(prefix.length)
  return (
    (pointer.startsWith(nested) || pointer.startsWith(prefix)) &&
    fieldOf(asset.config_schema as object, path.split('/')) !== undefined
  )
}

/** The id of the form's element for an error. */
function errorField(error: ConfigError, names: string[]): string {
  const path = error.pointer.split('/').slice(1)
  const [asset, rest] = path[0] === 'ops' ? [path[1]!, path.slice(3)] : [names[0]!, path]
  return [`config-${asset}`, ...rest].join('_')
}

function tryParseConfig(text: string, format: Format): ParsedConfig {
  try {
    const value = parseConfig(text, format)
    return isObject(value) ? { config: value } : {}
  } catch (error) {
    return { reason: error instanceof Error ? error.message.split('\n')[0] : String(error) }
  }
}

function invalidTag(text: string): string | undefined {
  try {
    parseTags(text)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function schemaOf(assets: Asset[], name: string): object {
  return (assets.find((a) => a.name === name)?.config_schema as object | undefined) ?? {}
}

function withoutTitle(schema: RJSFSchema): RJSFSchema {
  const copy = { ...schema }
  for (const name of ['title', '$id', '$schema'] as const) delete copy[name]
  return copy
}

/** The server's errors by field of the form. Pointers are /config/limit or /config/ops/<asset>/config/limit. */
function formErrors(
  errors: readonly { pointer: string; detail: string }[],
  asset: string,
  only: boolean,
): ErrorSchema | undefined {
  const found: ErrorSchema = {}
  for (const e of errors) {
    const path = e.pointer.startsWith(`/config/ops/${asset}/config/`)
      ? e.pointer.slice(`/config/ops/${asset}/config/`.length)
      : only && e.pointer.startsWith('/config/')
        ? e.pointer.slice('/config/'.length)
        : undefined
    if (path === undefined) continue
    let at = found
    for (const part of path.split('/')) at = (at[part] ??= {}) as ErrorSchema
    at.__errors = [...(at.__errors ?? []), e.detail]
  }
  return Object.keys(found).length > 0 ? found : undefined
}
