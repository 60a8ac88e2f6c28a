export const en = {
  app: {
    name: 'Parliament Explorer', skip: 'Skip to the content', menu: 'Menu', close: 'Close', navigation: 'Main navigation', breadcrumb: 'Where this page is', language: 'Français', languageLabel: 'Passer au français',
    theme: 'Theme', themeSystem: 'System', themeLight: 'Light', themeDark: 'Dark', live: 'Live', connecting: 'Connecting…', lost: 'Connection lost, trying again', paused: 'Paused',
    loading: 'Loading…', more: 'Load more', retry: 'Try again', copy: 'Copy', copied: 'Copied', cancel: 'Cancel', all: 'All', any: 'Any', none: 'None', yes: 'Yes', no: 'No', search: 'Search', actions: 'Actions', details: 'Details', open: 'Open', reset: 'Reset the filters',
    notFound: 'There is no such page', notFoundText: 'The address is not one of this application.', home: 'Go to the overview', crashed: 'Something broke in this page', noAnswer: 'The server does not answer. What you see may be old.', never: 'never', unknown: 'unknown', tryCommand: 'From a terminal:',
  },
  nav: { overview: 'Overview', assets: 'Assets', runs: 'Runs', automation: 'Automation', bills: 'Bills', fetchLogs: 'Fetch logs', system: 'System' },
  status: {
    queued: 'Queued', started: 'Running', success: 'Success', failure: 'Failed', canceling: 'Canceling', canceled: 'Canceled', waiting: 'Waiting', up_for_retry: 'Will retry', skipped: 'Skipped',
    partial_success: 'Partial success', source_unavailable: 'Source unavailable',
  },
  overview: {
    title: 'Overview', runningNow: 'Running now', failed24: 'Failed in 24 hours', waiting: 'Waiting for a worker', workers: 'Workers alive', nothingRuns: 'Nothing runs at the moment.', materializeSomething: 'Materialize an asset',
    timeline: 'Last 24 hours', timelineLabel: 'Runs of the last 24 hours by job: {{total}} in all, {{failed}} failed', timelineMore: 'The newest {{count}} runs are shown.', noRuns: 'No run in the last 24 hours', noRunsText: 'Materialize an asset, or start a schedule to have it done by the clock.',
    failures: 'Failures', noFailures: 'No run failed in the last 24 hours.', nextTicks: 'Next ticks', noTicks: 'No schedule is running.', startSchedule: 'Start one', assets: 'Age of the assets', allAssets: 'All assets', adHoc: 'Chosen assets',
  },
  assets: {
    title: 'Assets', list: 'List', graph: 'Graph', asset: 'Asset', group: 'Group', lastMaterialization: 'Last materialization', trend: 'Trend of {{name}}', trendTitle: 'Trend', materialize: 'Materialize', materializeSelection_one: 'Materialize {{count}} asset', materializeSelection_other: 'Materialize {{count}} assets',
    selectHint: 'Select assets to materialize them together: click, or move with Tab and press Enter; Shift adds to the selection.', selectAll: 'Select all', clear: 'Clear the selection', neverMaterialized: 'Never materialized', neverText: 'Materialize it to have its data, its metadata and its history here.',
    description: 'Description', dependencies: 'Depends on', dependents: 'Used by', jobs: 'Jobs', retryPolicy: 'Retries', retryText_one: '{{count}} attempt', retryText_other: 'up to {{count}} attempts, the first wait {{delay}} s', timeout: 'Time limit of an attempt', defaultConfig: 'Default config',
    tabAbout: 'About', tabPlots: 'Metadata over time', tabMaterializations: 'Materializations', tabRuns: 'Runs', tabLaunch: 'Launchpad', latest: 'latest {{value}}', plotLabel: '{{name}}: {{count}} values, latest {{latest}}, lowest {{min}}, highest {{max}}', noNumbers: 'No numbers to plot yet', noNumbersText: 'Numbers that materializations record as metadata are plotted here.',
    when: 'When', run: 'Run', metadata: 'Metadata', graphLabel: 'Lineage graph of the assets', ageUnknown: 'not yet',
  },
  launch: {
    title: 'Launchpad', configure: 'Configure…', nothingChosen: 'No asset is chosen', form: 'Form', json: 'JSON', yaml: 'YAML', config: 'Config', tags: 'Tags', tagsHelp: 'As key:value, separated by commas.', start: 'Materialize', startJob: 'Run the job', starting: 'Starting…', reset: 'Back to the defaults', noConfig: 'This asset takes no config.',
    opsHelp: 'The config of one asset, or by asset as in Dagster: {{example}}', notParsed: 'This is not valid {{format}}: {{reason}}', notObject: 'The config must be an object.', refused: 'The server refused it', started: 'Run {{id}} started', command: 'The same from a terminal', schema: 'JSON Schema of the config', badTag: '“{{tag}}” is not a tag: write key:value',
  },
  runs: {
    title: 'Runs', run: 'Run', status: 'Status', job: 'Job', asset: 'Asset', assets: 'Assets', tag: 'Tag', tagPlaceholder: 'key:value', time: 'Time', lastHour: 'Last hour', lastDay: 'Last 24 hours', lastWeek: 'Last 7 days', anyTime: 'Any time', trigger: 'Started by', created: 'Created', duration: 'Duration',
    select: 'Select run {{id}}', selectAll: 'Select all shown', selected_one: '{{count}} selected', selected_other: '{{count}} selected', cancel: 'Cancel', retry: 'Retry', retryFromFailure: 'Retry from failure', empty: 'No run matches', emptyText: 'Widen the filters, or start a run.', none: 'No run yet', noneText: 'Runs appear here as soon as something is materialized.',
    bulkDone_one: '{{count}} run {{action}}', bulkDone_other: '{{count}} runs {{action}}', actionCanceled: 'canceled', actionRetried: 'started again', bulkFailed_one: '{{count}} could not be: {{reason}}', bulkFailed_other: '{{count}} could not be; the first: {{reason}}', actionsOf: 'Actions for run {{id}}',
    trigger_api: 'API', trigger_cli: 'Command line', trigger_schedule: 'Schedule', trigger_retry: 'Retry of', by: 'by {{who}}', materializationOf: 'Materialization of {{assets}}',
  },
  run: {
    fetchLogs: 'Of this run', title: 'Run {{id}}', id: 'Run id', steps: 'Steps', stepsLabel: 'Steps and their attempts over time', attempt: 'attempt {{n}}', log: 'Log', materializations: 'Materializations', config: 'Config', about: 'About', canceledBy: 'Canceled by', parent: 'Retry of', started: 'Started', ended: 'Ended', waited: 'Waited', error: 'Error', stack: 'Stack',
    nothingMaterialized: 'Nothing was materialized', nothingYet: 'Nothing has been materialized yet', cancelAsk: 'Cancel this run?', cancelText: 'Steps that wait are canceled at once; what runs is told to stop. What was stored already stays.', cancelYes: 'Cancel the run', keep: 'Keep it running', nextAttempt: 'next attempt {{when}}', retryStarted: 'Run {{id}} started', emptyConfig: 'No config: the defaults.',
    announce: 'The run is now: {{status}}',
  },
  log: {
    level: 'Level', levelAll: 'All levels', debug: 'Debug', info: 'Info', warn: 'Warning', error: 'Error', levelMin: '{{level}} and above', step: 'Step', allSteps: 'All steps', text: 'Text', textPlaceholder: 'Search the log', follow: 'Follow', download: 'Download', permalink: 'Copy the link to this line', lines_one: '{{shown}} of {{count}} line', lines_other: '{{shown}} of {{count}} lines',
    time: 'Time', message: 'Message', noMatch: 'No line matches the filters.', waiting: 'Waiting for the first line…', label: 'Log of the run', live: 'live', reconnecting: 'Connection lost; it goes on where it was.', top: 'To the top', bottom: 'To the end', data: 'Data of line {{id}}', linked: 'Link copied',
  },
  automation: {
    title: 'Automation', schedules: 'Schedules', schedule: 'Schedule', running: 'Running', switch: 'Schedule {{name}}', cron: 'When', next: 'Next tick', last: 'Last tick', job: 'Job', runNow: 'Run now', runStarted: 'Run {{id}} started', stopped: 'stopped', noSchedules: 'No schedules are defined', noSchedulesText: 'Schedules are declared in code, beside the job they start.',
    jobs: 'Jobs', jobAssets: 'Assets', jobSchedules: 'Schedules', launch: 'Launch', nextTicks: 'Next ticks', pastTicks: 'Past ticks', noTicks: 'No tick yet', noTicksText: 'The schedule has not been due since it was started. “Run now” does its job at once.', notStarted: 'The schedule is stopped', notStartedText: 'Switch it on, and it fires at its next time.',
    scheduledFor: 'Due', kind: 'Kind', result: 'Result', run: 'Run', why: 'Why', kind_scheduled: 'Scheduled', kind_catch_up: 'Made up', kind_manual: 'By hand', timeZone: 'Time zone', catchUp: 'Makes up the last missed tick', changed: 'Last started or stopped', tick_success: 'Started a run', tick_skipped: 'Skipped', tick_failure: 'Failed', runs: 'Recent runs', timeout: 'Time limit of a run',
  },
  bills: {
    title: 'Bills', search: 'Search', searchPlaceholder: 'Number or title', session: 'Session', sessionPlaceholder: 'e.g. 44-1', status: 'Status', law: 'Law', isLaw: 'Law', notLaw: 'Not law', bill: 'Bill', name: 'Title', introduced: 'Introduced', activity: 'Latest activity', empty: 'No bill matches', emptyText: 'Widen the search.', none: 'No bills yet', noneText: 'Materialize the asset that fetches them.',
    english: 'English', french: 'French', about: 'About', stages: 'Stages', history: 'Version history', version: 'Version {{n}}', firstSeen: 'First seen', noChanges: 'This is how the bill was first stored.', changedBy: 'by run {{id}}', field: 'Field', from: 'Before', to: 'After', type: 'Type', sponsor: 'Sponsor', chamber: 'Chamber of origin', house: 'House of Commons', senate: 'Senate', royalAssent: 'Royal assent', statute: 'Statute', statuteText: '{{year}}, c. {{chapter}}',
    committees: 'Committees', related: 'Related bills', summary: 'Summary', links: 'Links', text: 'Text of the bill', noStages: 'LEGISinfo gives no stages for this bill.', sources: 'Fetched', notFetched: 'not fetched', government: 'Government bill', privateMember: 'Private member’s bill', updated: 'Updated', noSummary: 'There is no summary.', empty_value: '(empty)', notHeld: 'Not held here',
    stage_not_reached: 'not reached', stage_no_activity: 'no activity', stage_in_progress: 'in progress', stage_completed: 'completed', stage_not_completed: 'not completed', stage_unknown: 'unknown', badSession: '“{{value}}” is not a session: write one such as 44-1',
  },
  fetch: { title: 'Fetch logs', status: 'Status', source: 'Source', asset: 'Asset', run: 'Run', when: 'When', records: 'Records', succeeded: '{{count}} stored', failed: '{{count}} failed', duration: 'Duration', errors_one: '{{count}} error', errors_other: '{{count}} errors', params: 'Parameters', empty: 'No fetch matches', emptyText: 'Widen the filters.', none: 'No fetch yet', noneText: 'Each fetch from the sources leaves its record here.' },
  system: {
    title: 'System', queues: 'Queues', queue: 'Queue', available: 'Waiting', running: 'Running', retryable: 'To be retried', scheduled: 'Scheduled', oldest: 'Oldest waits', workers: 'Workers', worker: 'Worker', host: 'Host', pid: 'Process', since: 'Since', beat: 'Heartbeat', alive: 'Alive', dead: 'Gone', noWorkers: 'No worker', noWorkersText: 'Runs wait until one is started.',
    sources: 'Sources', source: 'Source', rate: 'Rate', rateText: '{{rate}} requests a second at most', noLimit: 'no limit', inFlight: 'In flight', inFlightText: '{{n}} of {{max}}', breaker: 'Breaker', breakerClosed: 'Closed: it is asked', breakerOpen: 'Open: left alone for a while', held: 'Asked to be left alone until', lastSuccess: 'Last success', lastFailure: 'Last failure', version: 'Version', checks: 'Checks', links: 'Links', apiDocs: 'API documentation', riverUi: 'River UI (queues)', metrics: 'Metrics', contract: 'Contract', ok: 'Good', notOk: 'Not good', go: 'Go', revision: 'Revision',
  },
}

/** The same texts in another language: every key must be there. */
export type Texts = { [S in keyof typeof en]: { [K in keyof (typeof en)[S]]: string } }
