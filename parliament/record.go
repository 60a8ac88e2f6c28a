package parliament

import (
	"context"
	"slices"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// recordsAtOnce limits how many records are in memory at once. A record can have 64 MiB; a usual one has 22 KiB.
const recordsAtOnce = 25

// reread updates details that an older version of the program parsed, by parsing their stored records again. It leaves
// a detail as it is if the record belongs to another list item, or cannot be parsed.
func reread(ctx context.Context, q *sql.Queries, held map[string]SourceRecords) error {
	var ids []string
	for id, p := range held {
		if p.Detail != nil && !p.Complete() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, recordsAtOnce) {
		records, err := q.BillRecords(ctx, chunk)
		if err != nil {
			return err
		}
		for _, r := range records {
			p := held[r.BillID]
			if r.ItemHash != p.Detail.ItemHash {
				continue
			}
			d, err := legisinfo.ParseDetail(r.Record)
			if err != nil || d.ID != p.Detail.ID {
				continue
			}
			d.ItemHash = r.ItemHash
			p.Detail = d
			held[r.BillID] = p
		}
	}
	return nil
}
