package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// Metadata is what a materialization records: values that encode to JSON, by name.
type Metadata map[string]any

// errNotJSON is the error of metadata that does not encode to JSON.
var errNotJSON = errors.New("metadata cannot be encoded as JSON")

// encode encodes metadata as it is stored. It may call functions of the definitions, such as a MarshalJSON.
func (m Metadata) encode() (json.RawMessage, error) {
	if m == nil {
		m = Metadata{}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotJSON, err)
	}
	return json.RawMessage(db.CleanJSON(string(raw))), nil
}

// AssetFunc produces an asset. It must stop soon when ctx ends, and it must be safe to run again after a crash at any
// point: write by natural keys. An error made by Permanent is not retried; any other is, by the asset's retry policy.
type AssetFunc[C any] func(ctx context.Context, step *Step, config C) (Metadata, error)

// Asset is a thing kept up to date. Make one with NewAsset.
type Asset struct {
	AssetOptions
	config runconfig.Spec
	run    func(ctx context.Context, step *Step, config json.RawMessage) (Metadata, error)
	err    error // of NewAsset, returned by NewDefinitions
}

// AssetOptions describe an asset.
type AssetOptions struct {
	// Name is lower-case with underscores.
	Name string
	// Group gathers assets in lists.
	Group string
	// Description is one or two sentences for people.
	Description string
	// DescriptionFR is the same in French; default none.
	DescriptionFR string
	// Deps are the assets that are materialized first if they are in the same run.
	Deps []string
	// Retry says what happens after an error.
	Retry RetryPolicy
	// Timeout ends an attempt that takes longer; default 30 minutes.
	Timeout time.Duration
	// Partitions divide the asset; each materialization is of one of them.
	Partitions *PartitionSet
	// PartitionRequired refuses a run without a partition. Otherwise such a run materializes the whole asset, by its
	// config.
	PartitionRequired bool
	// PartitionConfig returns the config fields that a partition decides. A run of the partition cannot set them
	// otherwise.
	PartitionConfig func(key string) (map[string]any, error)
	// Checks examine the asset after each materialization, in this order.
	Checks []*Check
	// Freshness says how old the asset may get; nil: there is no limit.
	Freshness *Freshness
	// Automation is the condition under which the automation sensor materializes the asset; nil: it never does.
	Automation *Automation
	// Pools name the shared resources that the asset uses, for limits.
	Pools []string
	// Owners answer for the asset: email addresses, and "team:" with the name of a team.
	Owners []string
	// Tags are texts by key, as of runs.
	Tags map[string]string
	// Kinds say in lower-case words what the asset is made of or made by, such as "postgres" or "rss".
	Kinds []string
}

// RetryPolicy says how often and how soon a failed step is tried again. The zero value tries once.
type RetryPolicy struct {
	// MaxAttempts counts the first one too; default 1.
	MaxAttempts int
	// Delay is the wait before the second attempt, doubled before each further one; default 1 s.
	Delay time.Duration
	// MaxDelay bounds the doubling; default 10 minutes.
	MaxDelay time.Duration
}

func (p RetryPolicy) maxAttempts() int { return max(p.MaxAttempts, 1) }

// delay returns the wait after a number of failures.
func (p RetryPolicy) delay(failures int) time.Duration {
	d, limit := p.Delay, p.MaxDelay
	if d <= 0 {
		d = time.Second
	}
	if limit <= 0 {
		limit = 10 * time.Minute
	}
	for range failures - 1 {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return min(d, limit)
}

// NewAsset makes an asset whose config is C: a struct whose fields have json names and jsonschema tags, from which
// the published JSON Schema, the defaults and the validation come. For example:
//
//	type Config struct {
//		Limit int `json:"limit" jsonschema:"minimum=1,maximum=500,default=50" jsonschema_description:"how many bills"`
//	}
//
// A field is optional unless tagged `jsonschema:"required"`. Use struct{} for an asset without config.
func NewAsset[C any](opts AssetOptions, f AssetFunc[C]) *Asset {
	a := &Asset{AssetOptions: opts}
	if a.Timeout <= 0 {
		a.Timeout = 30 * time.Minute
	}
	a.config, a.err = runconfig.NewSpec[C]()
	a.run = func(ctx context.Context, step *Step, raw json.RawMessage) (Metadata, error) {
		var c C
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, Permanent(fmt.Errorf("config: %w", err))
		}
		return f(ctx, step, c)
	}
	return a
}

// ConfigSchema returns the JSON Schema (draft 2020-12) of the asset's config.
func (a *Asset) ConfigSchema() json.RawMessage { return a.config.Schema() }

// DefaultConfig returns the defaults of all config fields that have one.
func (a *Asset) DefaultConfig() map[string]any { return a.config.Defaults() }
