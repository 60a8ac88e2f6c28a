//go:build unix

package embedded_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestFetchProcess is no test: it is a process that fetches, for tests of several and of limits.
func TestFetchProcess(t *testing.T) {
	given := os.Getenv("EXPLORER_TEST_FETCH")
	if given == "" {
		return
	}
	var c struct {
		Binaries string
		embedded.Altered
		FileSize uint64
	}
	raw := struct {
		Binaries string
		Size     int64
		Sum      string
		Place    string
		FileSize uint64
	}{}
	if err := json.Unmarshal([]byte(given), &raw); err != nil {
		t.Fatal(err)
	}
	c.Altered = altered(nil, raw.Place)
	c.Size, c.Sum = raw.Size, raw.Sum
	if raw.FileSize > 0 {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: raw.FileSize, Max: raw.FileSize}); err != nil {
			t.Fatal(err)
		}
	}
	syscall.Umask(0o077)
	s := embedded.Source{Binaries: raw.Binaries, Progress: func(p embedded.Progress) {
		if p.Stage == embedded.Waiting {
			fmt.Println("WAITING")
		}
	}}.With(c.Altered)
	i, err := s.Ensure(t.Context(), "")
	if err != nil {
		fmt.Println("ERROR", err)
		return
	}
	fmt.Println("FETCHED", i.Bin)
}

// fetchProcess starts TestFetchProcess and gives the lines that it prints.
func fetchProcess(t *testing.T, env []string, binaries string, jar []byte, place string, fileSize int) <-chan string {
	t.Helper()
	a := altered(jar, place)
	config, err := json.Marshal(map[string]any{"Binaries": binaries, "Size": a.Size, "Sum": a.Sum,
		"Place": place, "FileSize": fileSize})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFetchProcess$")
	cmd.Env = append(append(os.Environ(), env...), "EXPLORER_TEST_FETCH="+string(config))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		_ = cmd.Wait()
	}()
	return lines
}
