package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// configFlags is the flag of the run config.
type configFlags struct {
	Config string `help:"Run config as JSON or YAML, e.g. '{\"limit\": 50}', 'limit: 50' or Dagster's 'ops: ...'; @FILE reads a file, - the standard input." placeholder:"CONFIG"`
}

// maxConfig is the greatest size of a config. The server accepts no larger body.
const maxConfig = 1 << 20

// json returns the config as JSON; nil if none was given.
func (f configFlags) json() (json.RawMessage, error) {
	if f.Config == "" {
		return nil, nil
	}
	text, from, err := f.read()
	if err != nil {
		return nil, err
	}
	raw := json.RawMessage(bytes.TrimSpace(text))
	if !json.Valid(raw) { // YAML that looks like JSON goes as it is: the server says what is wrong in it
		if raw, err = runconfig.FromYAML(text); err != nil {
			return nil, usage("--config: %s%s", from, err)
		}
	}
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}"), nil
	}
	if raw[0] != '{' {
		return nil, usage("--config: %s%.60s is no config: want JSON or YAML such as '{\"limit\": 50}' or 'limit: 50', "+
			"@FILE or -", from, raw)
	}
	return raw, nil
}

// read returns the text of the config and, for messages, its origin.
func (f configFlags) read() (text []byte, from string, err error) {
	path, isFile := strings.CutPrefix(f.Config, "@")
	switch {
	case f.Config == "-":
		text, err = io.ReadAll(io.LimitReader(os.Stdin, maxConfig+1))
		from = "the standard input: "
	case isFile:
		var file *os.File
		if file, err = os.Open(path); err == nil { //nolint:gosec // the file that was asked for
			text, err = io.ReadAll(io.LimitReader(file, maxConfig+1))
			_ = file.Close()
		}
		from = path + ": "
	default:
		return []byte(f.Config), "", nil
	}
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("%sis longer than %d KiB", from, maxConfig>>10)
	}
	if err != nil {
		return nil, "", usage("--config: %s", err)
	}
	return text, from, nil
}
