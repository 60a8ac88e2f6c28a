package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v4"
)

// TestPostgresManifest validates deploy/kubernetes/postgres.yaml against the schemas of the operator's resources, as
// strictly as its server does with --validate=strict. CNPG_CRDS names the folder that has them: config/crd/bases of the
// Go module github.com/cloudnative-pg/cloudnative-pg, which .ci/deploy fetches.
func TestPostgresManifest(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("CNPG_CRDS")
	if folder == "" {
		t.Skip("this needs CNPG_CRDS, the operator's schemas: .ci/deploy fetches them")
	}
	manifest := string(read(t, "deploy", "kubernetes", "postgres.yaml"))
	kinds, err := validateManifests(folder, manifest)
	if err != nil {
		t.Error(err)
	}
	if fmt.Sprint(kinds) != "[Cluster ScheduledBackup]" {
		t.Errorf("validated %v", kinds)
	}
	for right, wrong := range map[string]string{
		"instances: 3": "instance: 3", "failoverDelay: 0": "failoverDelay: soon", "method: any": "method: some", "storage: {size: 20Gi}": "storage: {size: 20Gi, disk: fast}",
		"retentionPolicy: 30d": "retentionPolicy: month", "cluster: {name: postgres}": "cluster: postgres", "kind: ScheduledBackup": "kind: Backups",
	} {
		if !strings.Contains(manifest, right) {
			t.Errorf("the manifest has no %q", right)
		}
		if _, err := validateManifests(folder, strings.Replace(manifest, right, wrong, 1)); err == nil {
			t.Errorf("%q is not found wrong", wrong)
		}
	}
}

// validateManifests gives the kinds that were validated.
func validateManifests(folder, manifest string) (kinds []string, err error) {
	decoder := yaml.NewDecoder(strings.NewReader(manifest))
	for {
		var resource map[string]any
		if err := decoder.Decode(&resource); errors.Is(err, io.EOF) {
			return kinds, nil
		} else if err != nil {
			return kinds, err
		}
		raw, err := json.Marshal(resource)
		if err != nil {
			return kinds, err
		}
		var given any
		if err := json.Unmarshal(raw, &given); err != nil {
			return kinds, err
		}
		kind, _ := resource["kind"].(string)
		version, _ := resource["apiVersion"].(string)
		schema, err := crdSchema(folder, kind, version)
		if err != nil {
			return kinds, err
		}
		if err := schema.VisitJSON(given); err != nil {
			return kinds, fmt.Errorf("%s: %w", kind, err)
		}
		kinds = append(kinds, kind)
	}
}

// crdSchema is the schema of a kind of resource, with fields that it does not know forbidden.
func crdSchema(folder, kind, apiVersion string) (*openapi3.Schema, error) {
	group, version, _ := strings.Cut(apiVersion, "/")
	raw, err := os.ReadFile(filepath.Join(folder, group+"_"+strings.ToLower(kind)+"s.yaml"))
	if err != nil {
		return nil, err
	}
	var crd map[string]any
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&crd); err != nil {
		return nil, err
	}
	if raw, err = json.Marshal(crd); err != nil {
		return nil, err
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema *openapi3.Schema }
			}
		}
	}
	if err := json.Unmarshal(raw, &definition); err != nil {
		return nil, err
	}
	for _, v := range definition.Spec.Versions {
		if v.Name == version {
			forbidUnknown(v.Schema.OpenAPIV3Schema)
			return v.Schema.OpenAPIV3Schema, nil
		}
	}
	return nil, fmt.Errorf("%s has no version %s", kind, version)
}

func forbidUnknown(s *openapi3.Schema) {
	if s == nil {
		return
	}
	if keep, _ := s.Extensions["x-kubernetes-preserve-unknown-fields"].(bool); len(s.Properties) > 0 &&
		s.AdditionalProperties.Schema == nil && !keep {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		forbidUnknown(p.Value)
	}
	if s.Items != nil {
		forbidUnknown(s.Items.Value)
	}
	if s.AdditionalProperties.Schema != nil {
		forbidUnknown(s.AdditionalProperties.Schema.Value)
	}
}
