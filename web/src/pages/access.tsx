import {
  createKey,
  endSession,
  endSessions,
  revokeKey,
  type Key,
  type NewKey,
  type Scope,
  type UserSession,
} from '@parliament-explorer/sdk'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { KeyRound, LogOut, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { auditQuery, keysQuery, sessionsQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { useFilterHistory } from '../lib/filter-history'
import { named } from '../lib/named'
import { useRefusal } from '../ui/act'
import { Card, CopyButton, Empty, LoadMore, PageHead, Time } from '../ui/basics'
import { Choice, ResetFilters } from '../ui/choice'
import { Confirm } from '../ui/confirm'
import { itemsOf, Loaded } from '../ui/loaded'
import { Problem } from '../ui/problem'

const scopes = ['read', 'operate', 'admin'] as const

const lifetimes = [30, 90, 365] as const

/** API keys, sessions and the audit log. */
export function Access() {
  const { t } = useTranslation()
  const refusal = useRefusal('admin')
  return (
    <div className="page">
      <PageHead title={t('access.title')} />
      {refusal === undefined ? (
        <>
          <Keys />
          <Sessions />
          <AuditLog />
        </>
      ) : (
        <p className="notice">{refusal}</p>
      )}
    </div>
  )
}

function Keys() {
  const { t } = useTranslation()
  const keys = useQuery(keysQuery)
  const [made, setMade] = useState<NewKey>()
  const revoke = useMutation({
    mutationFn: (key_id: string) => revokeKey({ path: { key_id } }),
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: ['access'] }),
    onError: toast.bad,
  })
  return (
    <Card title={t('access.keys')}>
      <div className="stack" style={{ padding: '1rem' }}>
        <CreateKey onMade={setMade} />
        {made && (
          <div className="notice good" role="status">
            <p>{t('access.made', { name: made.name })}</p>
            <p className="row wrap">
              <code className="break">{made.key}</code>
              <CopyButton text={made.key} />
            </p>
          </div>
        )}
      </div>
      <Loaded query={keys} lines={3}>
        {(list) =>
          list.length === 0 ? (
            <Empty title={t('access.noKeys')} />
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('access.name')}</th>
                    <th>{t('access.scope')}</th>
                    <th>{t('access.state')}</th>
                    <th>{t('access.created')}</th>
                    <th>{t('access.lastUsed')}</th>
                    <th>
                      <span className="sr-only">{t('app.actions')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((k) => (
                    <tr key={k.id}>
                      <td>
                        {k.name}
                        <p className="muted small">
                          <code>{k.prefix}…</code>
                        </p>
                      </td>
                      <td data-label={t('access.scope')}>{t(`access.scope_${k.scope}`)}</td>
                      <td data-label={t('access.state')}>
                        <KeyState of={k} />
                      </td>
                      <td data-label={t('access.created')}>
                        <Time at={k.created_at} /> <span className="muted small break">{k.created_by}</span>
                      </td>
                      <td data-label={t('access.lastUsed')}>
                        {k.last_used_at ? (
                          <Time at={k.last_used_at} />
                        ) : (
                          <span className="muted">{t('app.never')}</span>
                        )}
                      </td>
                      <td className="right">
                        {!k.revoked_at && (
                          <Confirm
                            trigger={
                              <button
                                type="button"
                                className="btn small danger"
                                aria-label={t('app.pair', { name: t('access.revoke'), value: k.name })}
                                disabled={revoke.isPending}
                              >
                                <Trash2 size={14} aria-hidden />
                                {t('access.revoke')}
                              </button>
                            }
                            title={t('access.revokeAsk', { name: k.name })}
                            text={t('access.revokeText')}
                            yes={t('access.revoke')}
                            no={t('app.cancel')}
                            onYes={() => revoke.mutate(k.id)}
                          />
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </Card>
  )
}

/** The active sessions. */
function Sessions() {
  const { t } = useTranslation()
  const query = useInfiniteQuery(sessionsQuery)
  const sessions = itemsOf(query)
  const end = useMutation({
    mutationFn: async ({ of, all }: { of: UserSession; all: boolean }) => {
      if (!all) await endSession({ path: { session_id: of.id } })
      else
        await endSessions({
          query: of.key_id ? { key_id: of.key_id } : { subject: of.subject ?? '', issuer: of.issuer ?? undefined },
        })
    },
    // The user's own session may be among them. The page then shows the sign-in form.
    onSuccess: () =>
      void Promise.all([
        queryClient.invalidateQueries({ queryKey: ['access'] }),
        queryClient.invalidateQueries({ queryKey: ['session'] }),
      ]),
    onError: toast.bad,
  })
  return (
    <Card title={t('access.sessions')}>
      <Loaded query={sessions} lines={3}>
        {(list) =>
          list.length === 0 ? (
            <Empty title={t('access.noSessions')}>{t('access.noSessionsText')}</Empty>
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('access.who')}</th>
                    <th>{t('access.scope')}</th>
                    <th>{t('access.began')}</th>
                    <th>{t('access.lastSeen')}</th>
                    <th>{t('access.from')}</th>
                    <th>
                      <span className="sr-only">{t('app.actions')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((s) => (
                    <tr key={s.id}>
                      <td className="break">
                        {s.name}{' '}
                        {s.current && (
                          <span className="badge good" style={{ paddingLeft: '0.55rem' }}>
                            {t('access.thisOne')}
                          </span>
                        )}
                        <p className="muted small">{s.subject ? <code>{s.subject}</code> : t('access.withKey')}</p>
                      </td>
                      <td data-label={t('access.scope')}>{t(`access.scope_${s.scope}`)}</td>
                      <td data-label={t('access.began')}>
                        <Time at={s.began_at} />{' '}
                        <span className="muted small">
                          {t('access.until')} <Time at={s.expires_at} absolute />
                        </span>
                      </td>
                      <td data-label={t('access.lastSeen')}>
                        <Time at={s.seen_at} />
                      </td>
                      <td data-label={t('access.from')} className="break">
                        {s.address} <p className="muted small">{s.client}</p>
                      </td>
                      <td className="right">
                        <span className="row wrap" style={{ justifyContent: 'flex-end' }}>
                          {[false, true].map((all) => {
                            const name = t(all ? 'access.endAll' : 'access.end')
                            return (
                              <Confirm
                                key={name}
                                trigger={
                                  <button
                                    type="button"
                                    className="btn small danger"
                                    aria-label={`${name}: ${s.name}`}
                                    disabled={end.isPending}
                                  >
                                    <LogOut size={14} aria-hidden />
                                    {name}
                                  </button>
                                }
                                title={t(all ? 'access.endAllAsk' : 'access.endAsk', { name: s.name })}
                                text={t('access.endText')}
                                yes={name}
                                no={t('app.cancel')}
                                onYes={() => end.mutate({ of: s, all })}
                              />
                            )
                          })}
                        </span>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}

function KeyState({ of }: { of: Key }) {
  const { t } = useTranslation()
  if (of.revoked_at)
    return (
      <span className="badge idle" style={{ paddingLeft: '0.55rem' }}>
        {t('access.revoked')}
      </span>
    )
  if (of.expires_at && Date.parse(of.expires_at) <= Date.now())
    return (
      <span className="badge idle" style={{ paddingLeft: '0.55rem' }}>
        {t('access.expired')}
      </span>
    )
  return (
    <>
      <span className="badge good" style={{ paddingLeft: '0.55rem' }}>
        {t('access.good')}
      </span>{' '}
      {of.expires_at && (
        <span className="muted small">
          {t('access.until')} <Time at={of.expires_at} absolute />
        </span>
      )}
    </>
  )
}

function CreateKey({ onMade }: { onMade: (key: NewKey) => void }) {
  const { t } = useTranslation()
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Scope>('read')
  const [days, setDays] = useState<string>()
  const create = useMutation({
    mutationFn: () =>
      createKey({
        body: {
          name: name.trim(),
          scope,
          expires_at: days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : undefined,
        },
      }),
    onSuccess: ({ data }) => {
      onMade(data)
      setName('')
      void queryClient.invalidateQueries({ queryKey: ['access'] })
    },
  })
  return (
    <form
      className="stack"
      aria-label={t('access.create')}
      onSubmit={(e) => {
        e.preventDefault()
        create.mutate()
      }}
    >
      {create.error && <Problem error={create.error} />}
      <div className="filters">
        <div className="field">
          <label htmlFor="key-name">{t('access.nameOf')}</label>
          <input
            id="key-name"
            type="text"
            maxLength={100}
            required
            value={name}
            onChange={(e) => setName(e.target.value)}
          />
        </div>
        <div className="field">
          <label htmlFor="key-scope">{t('access.scope')}</label>
          <select id="key-scope" value={scope} onChange={(e) => setScope(e.target.value as Scope)}>
            {scopes.map((s) => (
              <option key={s} value={s}>
                {t(`access.scope_${s}`)}
              </option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor="key-days">{t('access.expires')}</label>
          <select id="key-days" value={days ?? ''} onChange={(e) => setDays(e.target.value || undefined)}>
            <option value="">{t('access.notAtAll')}</option>
            {lifetimes.map((d) => (
              <option key={d} value={d}>
                {t('access.inDays', { count: d })}
              </option>
            ))}
          </select>
        </div>
        <button type="submit" className="btn primary" disabled={create.isPending || name.trim() === ''}>
          <KeyRound size={16} aria-hidden />
          {t('access.create')}
        </button>
      </div>
    </form>
  )
}

function AuditLog() {
  const { t } = useTranslation()
  const search = useSearch({ from: '/access' })
  const navigate = useNavigate({ from: '/access' })
  const record = useFilterHistory()
  const query = useInfiniteQuery(auditQuery(search))
  const entries = itemsOf(query)
  const actors = [
    ...new Set([...(entries.data ?? []).map((e) => e.actor), ...(search.actor ? [search.actor] : [])]),
  ].sort()
  return (
    <Card title={t('access.audit')}>
      <div className="filters" role="search" style={{ padding: '1rem 1rem 0' }}>
        <Choice
          id="audit-actor"
          label={t('access.who')}
          value={search.actor}
          options={actors.map((v) => [v, v])}
          onChange={(actor) => void navigate({ search: { actor }, ...record() })}
        />
        <ResetFilters search={search} onReset={() => void navigate({ search: {} })} />
      </div>
      <Loaded query={entries} lines={6}>
        {(items) =>
          items.length === 0 ? (
            <Empty title={t('access.noAudit')}>{t('access.noAuditText')}</Empty>
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('access.when')}</th>
                    <th>{t('access.who')}</th>
                    <th>{t('access.what')}</th>
                    <th>{t('access.answer')}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((e) => (
                    <tr key={e.id}>
                      <td>
                        <Time at={e.at} absolute />
                      </td>
                      <td data-label={t('access.who')} className="break">
                        {e.actor} <span className="muted small">{e.remote_address}</span>
                        {(e.claimed_name || e.client) && (
                          <p className="muted small">
                            {t('access.saysItIs', { claim: [e.claimed_name, e.client].filter(Boolean).join(', ') })}
                          </p>
                        )}
                      </td>
                      <td data-label={t('access.what')} className="break">
                        <span title={e.operation}>{named(t, 'operations', e.operation)}</span>
                        <p className="muted small">
                          <code>
                            {e.method} {e.path}
                          </code>
                        </p>
                      </td>
                      <td data-label={t('access.answer')}>
                        <span
                          className={`badge ${e.status > 0 && e.status < 400 ? 'good' : 'bad'}`}
                          style={{ paddingLeft: '0.55rem' }}
                        >
                          {e.status === 0 ? t('access.notRecorded') : e.status}
                        </span>
                        {(e.more ?? 0) > 0 && (
                          <p className="muted small">{t('access.moreRefused', { count: e.more })}</p>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}
