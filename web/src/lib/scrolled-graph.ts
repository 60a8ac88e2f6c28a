import type { CSSProperties } from 'react'

interface Place {
  x: number
  y: number
}

/** The space around a graph, in pixels. */
const margin = 12

/**
 * Whether a graph has its full size and is scrolled like any other part of the page, rather than moved and enlarged by
 * its own gestures: on a phone, where a shrunk graph cannot be read, and a finger that scrolls the page must not be
 * caught.
 */
export const isScrolledGraph = () => matchMedia('(max-width: 600px)').matches

/** The properties of a scrolled graph. Its first node is at the upper left. */
export const scrolledGraph = {
  defaultViewport: { x: margin, y: margin, zoom: 1 },
  panOnDrag: false,
  zoomOnPinch: false,
  zoomOnScroll: false,
  zoomOnDoubleClick: false,
  nodesDraggable: false,
  preventScrolling: false,
  autoPanOnNodeFocus: false,
} as const

/** The size of a scrolled graph whose nodes are at places. */
export function scrolledSize(places: readonly Place[], node: { width: number; height: number }): CSSProperties {
  const most = (side: 'x' | 'y', length: number) => Math.max(0, ...places.map((p) => p[side])) + length + 2 * margin
  return { width: most('x', node.width), height: most('y', node.height) }
}

/** The size of a graph that fits its card. */
export const fullSize: CSSProperties = { width: '100%', height: '100%' }
