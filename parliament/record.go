package parliament

import (
	"context"
	"slices"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// recordsAtOnce bounds how many records are in memory: one may have 64 MiB, though the usual ones have 22 KiB.
const recordsAtOnce = 25

// reread completes details that an older version of the program read, from the records that are held. Those that
// belong to another list item, and those that cannot be read, leave the detail as it is.
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
