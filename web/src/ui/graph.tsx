import { Maximize2, ZoomIn, ZoomOut } from 'lucide-react'
import { type PointerEvent, type ReactNode, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { layOut, type Pair, type Point } from '../lib/layout'
import { useSize } from '../lib/size'

/** The limits of the scale. */
const [least, most] = [0.1, 2]

interface Props {
  label: string
  /** In the order of the Tab key. */
  names: readonly string[]
  edges: readonly Pair[]
  /** Of each box, in pixels. */
  size: { width: number; height: number }
  /** What is in the box of a name. */
  box: (name: string) => ReactNode
  selected?: ReadonlySet<string>
  /** A box was clicked, or the space around them; several: in addition to what is selected. */
  onChoose?: (name: string | undefined, several: boolean) => void
  className?: string
}

/**
 * Boxes and the lines between them. The browser scrolls them, for every kind of input. At first they are shrunk to fit,
 * but on a phone, where nobody could read them, they have their full size.
 */
export function Graph({ label, names, edges, size, box, selected, onChoose, className = '' }: Props) {
  const { t } = useTranslation()
  const arrowId = useId()
  const [phone] = useState(() => matchMedia('(max-width: 600px)').matches)
  const [scroller, room] = useSize<HTMLDivElement>()
  const shape = JSON.stringify([names, edges])
  const layout = useMemo(() => {
    const [boxes, pairs] = JSON.parse(shape) as [string[], Pair[]]
    return layOut(boxes, pairs, size)
  }, [shape, size])
  const fitting = phone ? 1 : Math.max(least, Math.min(1, room.width / layout.width, room.height / layout.height))
  const [enlarged, setEnlarged] = useState<{ shape: string; scale: number }>()
  const scale = enlarged?.shape === shape ? enlarged.scale : fitting

  // What is at a place of the scroller stays there.
  const kept = useRef<{ at: Point; shown: Point }>(undefined)
  const zoom = (factor: number, at?: Point) => {
    const element = scroller.current!
    at ??= { x: element.clientWidth / 2, y: element.clientHeight / 2 }
    kept.current = {
      at,
      shown: { x: (element.scrollLeft + at.x) / scale, y: (element.scrollTop + at.y) / scale },
    }
    setEnlarged({ shape, scale: Math.max(least, Math.min(most, scale * factor)) })
  }
  useLayoutEffect(() => {
    const [element, { at, shown } = {}] = [scroller.current, kept.current]
    kept.current = undefined
    if (element && at && shown) element.scrollTo(shown.x * scale - at.x, shown.y * scale - at.y)
  }, [scroller, scale])

  const wheel = useRef<(event: WheelEvent) => void>(undefined)
  useEffect(() => {
    wheel.current = (event) => {
      if (!event.ctrlKey && !event.metaKey) return
      event.preventDefault()
      const { left, top } = scroller.current!.getBoundingClientRect()
      zoom(2 ** (-event.deltaY / 200), { x: event.clientX - left, y: event.clientY - top })
    }
  })
  useEffect(() => {
    const element = scroller.current
    const turned = (event: WheelEvent) => wheel.current?.(event)
    element?.addEventListener('wheel', turned, { passive: false })
    return () => element?.removeEventListener('wheel', turned)
  }, [scroller])

  const drag = useDrag()
  const boxes = useMemo(
    () =>
      names.map((name) => {
        const { x, y } = layout.places.get(name)!
        const chosen = selected?.has(name) ?? false
        return (
          <div
            role="presentation" // for the keyboard, a box that can be selected has a checkbox
            key={name}
            className={chosen ? 'graph-node selected' : 'graph-node'}
            data-id={name}
            style={{ left: x, top: y, ...size }}
            onClick={
              onChoose &&
              ((event) => {
                event.stopPropagation()
                if (!isControl(event.target)) onChoose(name, event.shiftKey || event.ctrlKey || event.metaKey)
              })
            }
          >
            {box(name)}
          </div>
        )
      }),
    [names, layout, selected, size, onChoose, box],
  )

  return (
    <div className={`graph ${phone ? 'phone' : ''} ${className}`} role="group" aria-label={label}>
      <div
        role="presentation" // for the keyboard, there is a button that selects nothing
        ref={scroller}
        className="graph-scroller"
        data-scale={scale}
        onClick={() => drag.moved() || onChoose?.(undefined, false)}
        {...drag.handlers}
      >
        <div className="graph-extent" style={{ width: layout.width * scale, height: layout.height * scale }}>
          <div
            className="graph-scaled"
            style={{ width: layout.width, height: layout.height, transform: `scale(${scale})` }}
          >
            <svg width={layout.width} height={layout.height} aria-hidden>
              <defs>
                <marker id={arrowId} viewBox="0 0 8 8" refX={8} refY={4} markerWidth={8} markerHeight={8} orient="auto">
                  <path d="M0 0 8 4 0 8z" />
                </marker>
              </defs>
              {layout.lines.map((line, i) => (
                <path key={i} className="graph-line" d={curve(line)} markerEnd={`url(#${arrowId})`} />
              ))}
            </svg>
            {boxes}
          </div>
        </div>
      </div>
      {!phone && (
        <div className="graph-controls" role="group" aria-label={t('run.zoom')}>
          <Control label={t('run.zoomIn')} off={scale >= most} act={() => zoom(1.5)}>
            <ZoomIn size={16} aria-hidden />
          </Control>
          <Control label={t('run.zoomOut')} off={scale <= least} act={() => zoom(1 / 1.5)}>
            <ZoomOut size={16} aria-hidden />
          </Control>
          <Control label={t('assets.wholeGraph')} off={scale === fitting} act={() => setEnlarged(undefined)}>
            <Maximize2 size={16} aria-hidden />
          </Control>
        </div>
      )}
    </div>
  )
}

function Control({ label, off, act, children }: { label: string; off: boolean; act: () => void; children: ReactNode }) {
  return (
    <button type="button" className="btn icon" aria-label={label} title={label} disabled={off} onClick={act}>
      {children}
    </button>
  )
}

/** Moves a scroller with the mouse, by the space around the boxes. Fingers and wheels scroll by themselves. */
function useDrag() {
  const last = useRef<Point>(undefined)
  const far = useRef(false)
  return {
    /** Whether the last press moved the scroller, and was therefore no click. */
    moved: () => far.current,
    handlers: {
      onPointerDown: (event: PointerEvent<HTMLElement>) => {
        far.current = false
        const onBox = event.target instanceof Element && event.target.closest('.graph-node') !== null
        if (event.pointerType === 'mouse' && event.button === 0 && !onBox)
          last.current = { x: event.clientX, y: event.clientY }
      },
      onPointerMove: (event: PointerEvent<HTMLElement>) => {
        if (!last.current) return
        const [x, y] = [last.current.x - event.clientX, last.current.y - event.clientY]
        if (!far.current && Math.hypot(x, y) < 4) return
        if (!far.current) event.currentTarget.setPointerCapture(event.pointerId)
        far.current = true
        event.currentTarget.scrollBy(x, y)
        last.current = { x: event.clientX, y: event.clientY }
      },
      onPointerUp: () => (last.current = undefined),
      onPointerCancel: () => (last.current = undefined),
      onPointerLeave: () => {
        if (!far.current) last.current = undefined
      },
    },
  }
}

const isControl = (target: EventTarget) =>
  target instanceof Element && target.closest('a, button, label, input, [role="menuitem"]') !== null

/** A line through points, level at each of them. */
function curve([first, ...others]: readonly Point[]): string {
  let path = `M${first!.x} ${first!.y}`
  let before = first!
  for (const point of others) {
    const middle = (before.x + point.x) / 2
    path += `C${middle} ${before.y} ${middle} ${point.y} ${point.x} ${point.y}`
    before = point
  }
  return path
}
