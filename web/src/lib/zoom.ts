import type { ZoomBehavior, ZoomTransform } from 'd3-zoom'
import type { Selection } from 'd3-selection'
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from 'react'

/** How often a time axis can be enlarged. */
const most = 2_000

/** The part of a time axis that is shown: the scale, and the offset in pixels. */
export interface Zoom {
  k: number
  x: number
}

interface Control {
  behavior: ZoomBehavior<HTMLElement, unknown>
  on: Selection<HTMLElement, unknown, null, undefined>
}

const whole: Zoom = { k: 1, x: 0 }

/**
 * The zoom of an element over a time axis of the same width. The wheel with Ctrl and two fingers zoom, dragging moves,
 * and so do the keys. The library is loaded after the page: until then, the whole axis is shown.
 */
export function useZoom(ref: RefObject<HTMLElement | null>, width: number) {
  const [zoom, setZoom] = useState(whole)
  const control = useRef<Promise<Control | undefined>>(undefined)
  useEffect(() => {
    const element = ref.current
    if (!element || width === 0) return
    let over = false
    const made = Promise.all([import('d3-zoom'), import('d3-selection')])
      .then(([{ zoom: make }, { select }]) => {
        if (over) return undefined
        const shown: [[number, number], [number, number]] = [
          [0, 0],
          [width, 1],
        ]
        const behavior = make<HTMLElement, unknown>()
          .scaleExtent([1, most])
          .extent(shown)
          .translateExtent(shown)
          .filter(isZoom)
          .on('zoom', ({ transform: { k, x } }: { transform: ZoomTransform }) => setZoom({ k, x }))
        return { behavior, on: select<HTMLElement, unknown>(element).call(behavior).on('dblclick.zoom', null) }
      })
      .catch(() => undefined) // without it, the whole is shown
    control.current = made
    return () => {
      over = true
      void made.then((c) => c?.on.on('.zoom', null))
    }
  }, [ref, width])

  const change = (how: (c: Control) => void) => void control.current?.then((c) => c && how(c))
  const by = (factor: number) => change(({ behavior, on }) => behavior.scaleBy(on, factor))
  const reset = () => change(({ behavior, on }) => behavior.scaleTo(on, 1))
  const move = (part: number) => change(({ behavior, on }) => behavior.translateBy(on, (part * width) / zoom.k, 0))
  const keys: Record<string, () => void> = {
    '+': () => by(2),
    '=': () => by(2),
    '-': () => by(0.5),
    '0': reset,
    ArrowLeft: () => move(0.2),
    ArrowRight: () => move(-0.2),
  }
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const act = keys[event.key]
    if (!act || event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    act()
  }
  return { zoom, by, reset, onKeyDown }
}

/** Whether an event is for the zoom. The wheel alone and one finger scroll the page. */
function isZoom(event: WheelEvent | MouseEvent | TouchEvent): boolean {
  if (event.type === 'wheel') return event.ctrlKey || event.metaKey
  if ('touches' in event) return event.touches.length > 1
  return (event as MouseEvent).button === 0 && !event.ctrlKey
}

/** The times at both ends of an enlarged axis. */
export function shownTimes(from: number, to: number, width: number, { k, x }: Zoom): [number, number] {
  const perPixel = (to - from) / Math.max(1, width)
  return [from - (x / k) * perPixel, from + ((width - x) / k) * perPixel]
}
