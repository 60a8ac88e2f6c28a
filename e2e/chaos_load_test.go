//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// load requests runs, each until some server has accepted it, and now and then cancels or retries one. It is long,
// because it has a case for each kind of request.
func (c *chaos) load(ctx context.Context, rng *rand.Rand) {
	var mine []string
	for ctx.Err() == nil {
		path, body := "/assets/monitor_fetch_operations/materialize", fmt.Sprintf(`{"config": {"hours_back": %d}}`,
			1+rng.IntN(48))
		switch k := rng.IntN(100); {
		case k < 10:
			path, body = "/assets/fetch_latest_bills/materialize", fmt.Sprintf(`{"config": {"limit": %d}}`, 1+rng.IntN(60))
		case k < 16:
			path, body = "/runs", `{"assets": ["bill_statistics", "monitor_fetch_operations"]}`
		case k < 20:
			path, body = "/runs", `{"assets": ["fetch_latest_bills", "bill_statistics"]}`
		case k < 57:
			path, body = stormDraw(rng)
		case k < 60:
			path, body = stormParted(rng)
		case k < 66 && len(mine) > 0:
			id := mine[len(mine)-1-rng.IntN(min(5, len(mine)))]
			c.cancel(c.nodes[rng.IntN(len(c.nodes))], "/runs/", id)
			continue
		case k < 68 && len(mine) > 20:
			path, body = "/runs/"+mine[rng.IntN(len(mine)-10)]+"/retry", `{}`
		case k < 78:
			failed := c.failed(c.nodes[rng.IntN(len(c.nodes))])
			if len(failed) == 0 {
				continue
			}
			path, body = "/runs/"+failed[rng.IntN(len(failed))]+"/retry", `{"from_failure": true}`
		}
		key := uuid.NewString()
		for ctx.Err() == nil {
			status, raw := c.post(c.nodes[rng.IntN(len(c.nodes))], path, body, map[string]string{"Idempotency-Key": key})
			if status == http.StatusAccepted {
				var run struct{ ID string }
				if err := json.Unmarshal(raw, &run); err != nil {
					c.t.Errorf("%s: %s", path, raw)
				}
				c.mu.Lock()
				if before, ok := c.accepted[key]; ok && before != run.ID {
					c.t.Errorf("key %s: run %s, and then %s", key, before, run.ID)
				}
				if path != "/backfills" {
					c.accepted[key] = run.ID
				}
				c.mu.Unlock()
				if rng.IntN(20) == 0 {
					continue // again with the same key: the same run
				}
				if path == "/backfills" {
					if rng.IntN(3) == 0 {
						sleep(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
						c.cancel(c.nodes[rng.IntN(len(c.nodes))], "/backfills/", run.ID)
					}
					break
				}
				mine = append(mine, run.ID)
				break
			}
			if status >= 400 && status < 500 {
				if status != http.StatusConflict { // a retry of what has not ended
					c.t.Errorf("%s %s: %d %s", path, body, status, raw)
				}
				break
			}
			sleep(ctx, 50*time.Millisecond)
		}
		sleep(ctx, time.Duration(rng.IntN(150))*time.Millisecond)
	}
}

// cancel asks for a run or a backfill to be canceled.
func (c *chaos) cancel(n *chaosNode, path, id string) {
	c.mu.Lock()
	c.cancels[id] = true
	c.mu.Unlock()
	c.post(n, path+id+"/cancel", "", nil)
}

// failed are the newest runs that failed, as a server lists them.
func (c *chaos) failed(n *chaosNode) (out []string) {
	c.requests.Add(1)
	resp, err := chaosClient.Get(n.url + "/runs?status=failure&limit=50")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	c.answered(resp, raw)
	var list struct{ Items []struct{ ID string } }
	if json.Unmarshal(raw, &list) == nil {
		for _, r := range list.Items {
			out = append(out, r.ID)
		}
	}
	return out
}

// answered notes an answer.
func (c *chaos) answered(resp *http.Response, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[strconv.Itoa(resp.StatusCode)]++
	if wrongAnswer(resp) {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s: %d %s", resp.Request.Method, resp.Request.URL, resp.StatusCode, raw))
	}
}
