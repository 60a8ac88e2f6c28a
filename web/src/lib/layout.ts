import dagre from '@dagrejs/dagre'

/** The places of the nodes of a graph, from left to right: the upper left corner of each. */
export function layOut(
  names: readonly string[],
  edges: readonly { from: string; to: string }[],
  size: { width: number; height: number },
): Map<string, { x: number; y: number }> {
  const graph = new dagre.graphlib.Graph()
    .setGraph({ rankdir: 'LR', nodesep: 28, ranksep: 90 })
    .setDefaultEdgeLabel(() => ({}))
  for (const name of names) graph.setNode(name, { ...size })
  for (const edge of edges) graph.setEdge(edge.from, edge.to)
  dagre.layout(graph)
  return new Map(
    names.map((name) => {
      const { x, y } = graph.node(name)
      return [name, { x: x - size.width / 2, y: y - size.height / 2 }]
    }),
  )
}
