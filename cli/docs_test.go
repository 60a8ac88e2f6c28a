package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestDocsAreTrue takes every command, path, variable and link out of the documents and compares them with the program:
// the commands and their flags, the contract, the configuration, the Makefile, the services, the files.
func TestDocsAreTrue(t *testing.T) {
	t.Parallel()
	dbtest.Measures(t)
	c := newDocsCheck(t)
	files := []string{
		"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md",
		"docker-compose.yml", "Dockerfile", "railway.json",
	}
	unread := []string{".json", ".go", ".mod", ".sum"}
	for _, pattern := range []string{"docs/*.md", "deploy/*", "deploy/*/*"} {
		found, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			info, err := os.Stat(f)
			if err == nil && !info.IsDir() && !slices.Contains(unread, filepath.Ext(f)) {
				files = append(files, strings.TrimPrefix(filepath.ToSlash(f), "../"))
			}
		}
	}
	for _, file := range files {
		c.file(file, string(read(t, strings.Split(file, "/")...)))
	}
	for _, fault := range c.faults {
		t.Error(fault)
	}
	if c.commands < 100 || c.requests < 60 || c.spans < 500 {
		t.Errorf("found only %d commands, %d requests and %d spans", c.commands, c.requests, c.spans)
	}
}

// TestDocsAreIndexed looks for every document in docs/README.md, and for broken links in the clients' documents.
func TestDocsAreIndexed(t *testing.T) {
	t.Parallel()
	index := string(read(t, "docs", "README.md"))
	found, err := filepath.Glob("../docs/*.md")
	if err != nil || len(found) < 10 {
		t.Fatalf("found %d documents, %v", len(found), err)
	}
	for _, f := range found {
		if name := filepath.Base(f); name != "README.md" && !strings.Contains(index, "]("+name) {
			t.Errorf("docs/README.md does not list docs/%s", name)
		}
	}
	c := &docsCheck{t: t}
	for _, pattern := range []string{"../*/README.md", "../*/*/README.md"} {
		clients, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range clients {
			c.where = strings.TrimPrefix(filepath.ToSlash(f), "../")
			for _, m := range link.FindAllStringSubmatch(string(read(t, c.where)), -1) {
				c.link(c.where, m[1])
			}
		}
	}
	for _, fault := range c.faults {
		t.Error(fault)
	}
}

// TestDocsCheck gives the check faulty documents, and correct ones.
func TestDocsCheck(t *testing.T) {
	t.Parallel()
	dbtest.Measures(t)
	base, fence := newDocsCheck(t), "```sh\n%s\n```\n"
	for _, text := range []string{
		"`explorer backfill start bills_introduced_by_day --all`", "`explorer backfil start`",
		"`explorer runs frobnicate`", "`explorer keys list --frobnicate`", "`go run . serve --addres :80`",
		"`/explorer wrk`",
		"`GET /audit`", "`POST /bills`", "`GET /bills?colour=red`", "`GET /runs/{id}/frobnicate`", "`/frobnicate`",
		"`/runs/1/steps`",
		"`make frobnicate`", "`EXPLORER_FROBNICATE`", "`FROBNICATE_URL=http://example.org`",
		"`docker compose exec frobnicate ls`", "`deploy/frobnicate/config.yaml`", "`--frobnicate`",
		"`explorer_frobnicate_total`",
		"[a link](docs/frobnicate.md)", "[a link](README.md#frobnicate)",
		fmt.Sprintf(fence, "explorer materialize fetch_latest_bills --limit 3"),
		fmt.Sprintf(fence, "X=1 FROBNICATE_URL=x explorer worker"),
		fmt.Sprintf(fence, "echo '{}' | explorer backfill start x --frobnicate -"),
		fmt.Sprintf(fence, "curl localhost:8080/frobnicate"), fmt.Sprintf(fence, "curl -X PUT localhost:8080/runs"),
		fmt.Sprintf(fence, "curl 'localhost:8080/bills?colour=red'"),
		fmt.Sprintf(fence, `curl -X POST localhost:8080/runs -H 'Content-Type: application/json' -d '{"asset": ["a"]}'`),
		fmt.Sprintf(fence, `curl localhost:8080/runs -d '{"assets": "a"}'`),
		fmt.Sprintf(fence, `curl localhost:8080/runs -d '{"assets": }'`),
		fmt.Sprintf(fence, "curl -X POST localhost:8080/schedules/x/start -d '{'"),
		fmt.Sprintf(fence, "docker compose run --rm migrate keys make me"),
		fmt.Sprintf(fence, "systemctl enable explorer-frobnicate"),
		fmt.Sprintf(fence, "sudo deploy/install.sh --frobnicate x"), fmt.Sprintf(fence, "echo 'not closed"),
		fmt.Sprintf("```powershell\n%s\n```\n", "$env:FROBNICATE_URL = \"x\"\n.\\explorer.exe serve"),
		fmt.Sprintf("```powershell\n%s\n```\n", ".\\explorer.exe serv"),
	} {
		c := *base
		c.file("README.md", text)
		if len(c.faults) == 0 {
			t.Errorf("nothing is found wrong with %s", text)
		}
	}
	for _, text := range []string{
		"`explorer backfill start bills_introduced_by_day --from 2026-06-01`",
		"`explorer schedules list / start X / stop X`", "`GET /runs/{id}`", "`GET /runs/$RUN`",
		"`DATABASE_URL=postgres://u@h/d explorer dev`", "`make bench`",
		fmt.Sprintf(fence, "curl localhost:8080/runs/$RUN/retry -d '{\"from_failure\": true}'"),
		fmt.Sprintf(fence, "cat <<X | explorer jobs run j --config -\n{}\nX"),
		"[a link](docs/deploy.md#read-replica)",
		fmt.Sprintf("```powershell\n%s\n```\n", "$env:DATABASE_URL = \"x\"\n.\\explorer.exe serve\n"+
			"curl.exe -X POST localhost:8080/runs `\n  -d '{\\\"assets\\\": [\\\"a\\\"]}'"),
	} {
		c := *base
		c.file("README.md", text)
		if len(c.faults) > 0 {
			t.Errorf("%s: %s", text, c.faults)
		}
	}
}
