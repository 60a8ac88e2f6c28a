package runconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	reflected "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// FieldError is one fault: where, as a JSON pointer into what was given, and what.
type FieldError struct {
	Pointer string
	Detail  string
	// Missing says that the fault is a required field that is not there.
	Missing bool
}

// InvalidError lists everything that is wrong with a run config. The pointers are into the config as it was given.
type InvalidError struct{ Fields []FieldError }

func (e *InvalidError) Error() string { return "invalid run config: " + Describe(e.Fields) }

// maxDescribed is how many faults the text of an error has, and maxDescription how long each is in bytes.
const maxDescribed, maxDescription = 20, 500

// Describe returns faults as one text. There may be any number of faults in what was sent, of any length; the text is
// bounded.
func Describe(fields []FieldError) string {
	parts := make([]string, min(len(fields), maxDescribed))
	for i, f := range fields[:len(parts)] {
		parts[i] = strings.TrimSpace(clipped(f.Pointer) + ": " + clipped(f.Detail))
	}
	if more := len(fields) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

func clipped(s string) string {
	if len(s) <= maxDescription {
		return s
	}
	return strings.ToValidUTF8(s[:maxDescription], "") + "…"
}

// Spec is the schema of one asset's config: it fills in defaults and validates. It does not change once it is made.
type Spec struct {
	raw      json.RawMessage
	schema   *jsonschema.Schema
	defaults map[string]any
	decode   func([]byte) error
}

// descriptionFR is the keyword for a field's description in French, the tag `jsonschema_description_fr`.
const descriptionFR = "x-description-fr"

// describeInFrench adds the French descriptions of the fields of a struct to its schema.
func describeInFrench(t reflect.Type, schema *reflected.Schema) {
	if t.Kind() != reflect.Struct || schema.Properties == nil {
		return
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		text := f.Tag.Get("jsonschema_description_fr")
		if p, ok := schema.Properties.Get(name); ok && text != "" {
			if p.Extras == nil {
				p.Extras = map[string]any{}
			}
			p.Extras[descriptionFR] = text
		}
	}
}

// NewSpec makes the Spec of a config type: a struct whose fields have json names and jsonschema tags.
func NewSpec[C any]() (Spec, error) {
	r := reflected.Reflector{DoNotReference: true, Anonymous: true, ExpandedStruct: true, RequiredFromJSONSchemaTags: true}
	reflection := r.Reflect(new(C))
	describeInFrench(reflect.TypeFor[C](), reflection)
	raw, err := json.Marshal(reflection)
	if err != nil {
		return Spec{}, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return Spec{}, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("config.json", doc); err != nil {
		return Spec{}, err
	}
	s, err := c.Compile("config.json")
	if err != nil {
		return Spec{}, fmt.Errorf("config schema: %w", err)
	}
	spec := Spec{
		raw:      raw,
		schema:   s,
		defaults: map[string]any{},
		decode:   func(b []byte) error { return json.Unmarshal(b, new(C)) },
	}
	for name, p := range s.Properties {
		if name == "ops" {
			return Spec{}, errors.New(`a config field may not be called "ops"`)
		}
		if p.Default != nil {
			spec.defaults[name] = *p.Default
		}
	}
	return spec, nil
}

// Schema returns the JSON Schema (draft 2020-12).
func (s Spec) Schema() json.RawMessage { return s.raw }

// Defaults returns the defaults of all fields that have one.
func (s Spec) Defaults() map[string]any { return maps.Clone(s.defaults) }

// Complete fills in the defaults and validates. The values are as Decode and Normalize return them.
func (s Spec) Complete(given map[string]any) (json.RawMessage, []FieldError) {
	full := s.Defaults()
	maps.Copy(full, given)
	raw, err := json.Marshal(full)
	if err != nil {
		return nil, []FieldError{{Detail: err.Error()}}
	}
	if err := s.schema.Validate(full); err != nil {
		var invalid *jsonschema.ValidationError
		if !errors.As(err, &invalid) {
			return nil, []FieldError{{Detail: err.Error()}}
		}
		return nil, fieldErrors(invalid)
	}
	if err := s.decode(raw); err != nil { // e.g. 1e3 or 5.0 for an integer: valid by the schema, not for Go
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, []FieldError{
				{
					Pointer: "/" + strings.ReplaceAll(wrong.Field, ".", "/"),
					Detail:  fmt.Sprintf("got %s, want a plain %s", wrong.Value, wrong.Type),
				},
			}
		}
		return nil, []FieldError{{Detail: err.Error()}}
	}
	return raw, nil
}

var english = message.NewPrinter(language.English)

// fieldErrors takes the leaves out of a validation error.
func fieldErrors(e *jsonschema.ValidationError) []FieldError {
	var out []FieldError
	for _, cause := range e.Causes {
		out = append(out, fieldErrors(cause)...)
	}
	if len(e.Causes) > 0 {
		return out
	}
	at := Pointer(e.InstanceLocation...)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			out = append(out, FieldError{Pointer: at + Pointer(name), Detail: "is required", Missing: true})
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			out = append(out, FieldError{Pointer: at + Pointer(name), Detail: "is not a config field"})
		}
	default:
		out = append(out, FieldError{Pointer: at, Detail: k.LocalizedString(english)})
	}
	return out
}

// Pointer makes a JSON pointer of its parts.
func Pointer(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(escapePointer.Replace(p))
	}
	return b.String()
}

// Assets are the assets of a run, for Resolve.
type Assets struct {
	// Names are the assets of the run.
	Names []string
	// Spec returns the Spec of an asset.
	Spec func(name string) Spec
	// Base is what the job sets, by asset; Fixed are the fields that the run's partition decides, by asset. The values
	// are as Normalize returns them.
	Base, Fixed map[string]map[string]any
}

// Resolve turns the config of a request into one complete config for each asset. It accepts two shapes: the bare config
// of a run's only asset, {"limit": 50}, and {"ops": {"<asset>": {"config": {"limit": 50}}}}. It returns an
// *InvalidError if the config is not valid.
func Resolve(assets Assets, raw json.RawMessage) (map[string]json.RawMessage, error) {
	given, faults := splitConfig(assets.Names, raw)
	full := map[string]json.RawMessage{}
	if len(faults) == 0 {
		for _, name := range assets.Names {
			merged := maps.Clone(assets.Base[name])
			if merged == nil {
				merged = map[string]any{}
			}
			g := given[name]
			maps.Copy(merged, g.values)
			for _, key := range slices.Sorted(maps.Keys(assets.Fixed[name])) {
				value := assets.Fixed[name][key]
				if given, has := g.values[key]; has && !SameJSON(given, value) {
					faults = append(faults, FieldError{
						Pointer: g.pointer + Pointer(key),
						Detail:  fmt.Sprintf("is %s, but the partition makes it %s", shown(given), shown(value)),
					})
				}
				merged[key] = value
			}
			complete, bad := assets.Spec(name).Complete(merged)
			for _, f := range bad {
				f.Pointer = g.pointer + f.Pointer
				faults = append(faults, f)
			}
			full[name] = complete
		}
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
		return nil, &InvalidError{Fields: faults}
	}
	return full, nil
}

// givenConfig is what a request gives for one asset, and where it is in the request.
type givenConfig struct {
	values  map[string]any
	pointer string
}

// splitConfig returns what a request gives for each asset, and where it is in the request.
func splitConfig(assets []string, raw json.RawMessage) (map[string]givenConfig, []FieldError) {
	out := map[string]givenConfig{}
	for _, name := range assets { // where a missing field would be
		out[name] = givenConfig{pointer: Pointer("ops", name, "config")}
	}
	if len(assets) == 1 {
		out[assets[0]] = givenConfig{}
	}
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		return out, nil
	}
	var top map[string]any
	if err := Decode(raw, &top); err != nil {
		return nil, []FieldError{{Detail: "want a JSON object"}}
	}
	opsValue, isOps := top["ops"]
	if !isOps {
		if len(top) == 0 {
			return out, nil
		}
		if len(assets) != 1 {
			return nil, []FieldError{{Detail: `this run has several assets: want {"ops": {"<asset>": {"config": {...}}}}`}}
		}
		out[assets[0]] = givenConfig{values: top}
		return out, nil
	}
	var faults []FieldError
	for _, key := range slices.Sorted(maps.Keys(top)) {
		if key != "ops" {
			faults = append(faults, FieldError{Pointer: Pointer(key), Detail: `is not expected beside "ops"`})
		}
	}
	ops, ok := opsValue.(map[string]any)
	if !ok {
		return nil, append(faults, FieldError{Pointer: "/ops", Detail: "want an object of asset names"})
	}
	noAsset := "is not an asset of this run; it has " + strings.Join(assets, ", ")
	for _, name := range slices.Sorted(maps.Keys(ops)) {
		if !slices.Contains(assets, name) {
			faults = append(faults, FieldError{Pointer: Pointer("ops", name), Detail: noAsset})
			continue
		}
		given, bad := opConfig(Pointer("ops", name), ops[name])
		if faults = append(faults, bad...); given != nil {
			out[name] = *given
		}
	}
	return out, faults
}

// opConfig reads {"config": {...}}, which is at a pointer in the request. It returns nil if there is no config in it.
func opConfig(at string, value any) (*givenConfig, []FieldError) {
	op, ok := value.(map[string]any)
	if !ok {
		return nil, []FieldError{{Pointer: at, Detail: `want an object with "config"`}}
	}
	var faults []FieldError
	for _, key := range slices.Sorted(maps.Keys(op)) {
		if key != "config" {
			faults = append(faults, FieldError{
				Pointer: at + Pointer(key), Detail: `is not expected here: want {"config": {...}}`,
			})
		}
	}
	config, has := op["config"]
	values, ok := config.(map[string]any)
	switch {
	case !has:
		return nil, append(faults, FieldError{Pointer: at + "/config", Detail: "is required"})
	case !ok:
		return nil, append(faults, FieldError{Pointer: at + "/config", Detail: "want an object"})
	}
	return &givenConfig{values: values, pointer: at + "/config"}, faults
}

// SameJSON reports whether two values encode to the same JSON.
func SameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// shown returns a value as JSON, clipped, so that "45" and 45 differ in an error.
func shown(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return clipped(string(raw))
}

// Decode decodes JSON and keeps numbers as they are written.
func Decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// Normalize returns values written in Go as Decode returns them.
func Normalize(values map[string]any) (map[string]any, error) {
	raw, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = Decode(raw, &out)
	return out, err
}

// Present returns the stored config of a run in the shape in which it can be sent again.
func Present(assets []string, stored map[string]json.RawMessage) json.RawMessage {
	var shown any
	if len(assets) == 1 {
		shown = stored[assets[0]]
	} else {
		ops := map[string]any{}
		for name, config := range stored {
			ops[name] = map[string]any{"config": config}
		}
		shown = map[string]any{"ops": ops}
	}
	raw, err := json.Marshal(shown)
	if err != nil { // it was decoded from JSON
		return json.RawMessage("{}")
	}
	return raw
}
