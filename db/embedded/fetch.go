package embedded

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Progress is a report of a fetch.
type Progress struct {
	// Stage is what is being done.
	Stage Stage
	// What is fetched, e.g. Postgres 18.4; From which address, To which folder.
	What, From, To string
	// Done and Total are bytes.
	Done, Total int64
	// Err is why it is retried.
	Err error
}

// Stage is a stage of a fetch.
type Stage int

// The stages of a fetch, in order. Waiting and Retrying may be missing.
const (
	Waiting   Stage = iota // for another process that is fetching the same
	Fetching               // told again with every piece
	Retrying               // after Err
	Unpacking              // once the checksum is right
	Fetched
)

// fetching is what tests do otherwise.
type fetching struct {
	platform string
	pin      *pin
	places   []string // of the cache
	machine  []string // folders in which Postgres may be installed; nil: as they are
	silence  time.Duration
	pause    func(context.Context, time.Duration) error
}

const (
	// silence is how long a server may give less than leastPiece before the request is tried again.
	silence    = 30 * time.Second
	leastPiece = 32 << 10
	// attempts is how often in a row a request may fail without giving a worthwhile piece.
	attempts   = 3
	worthwhile = 256 << 10
)

// fetch fetches the archive into the first cache folder that can be used, unless another process just did.
func (s Source) fetch(ctx context.Context, a *Archive) (*Installation, error) {
	var refused []string
	places := s.places()
	if len(places) == 0 {
		refused = append(refused, "this user has no folder for caches")
	}
	for _, place := range places {
		lock, err := s.claim(ctx, a, place)
		if err == nil {
			defer lock.Unlock() //nolint:errcheck // the end of the process does it too
			return s.fetchInto(ctx, a, place)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if noSpace(err) {
			return nil, a.full(place)
		}
		refused = append(refused, err.Error())
	}
	return nil, fmt.Errorf("%s cannot be kept anywhere (%s): set XDG_CACHE_HOME to a folder that can be written to, or %s",
		a.Name(), strings.Join(refused, "; "), Remedy)
}

// claim makes a cache folder and locks it, waiting for another process that is fetching into it.
func (s Source) claim(ctx context.Context, a *Archive, place string) (*flock.Flock, error) {
	if err := reachable(place); err != nil {
		return nil, err
	}
	for _, dir := range []string{filepath.Dir(place), place} { // nothing is made in a folder that is not trusted
		if err := makeFolder(dir); err != nil {
			return nil, err
		}
		if !trusted(dir) {
			return nil, fmt.Errorf("%s can be changed by others", place)
		}
	}
	if err := reachable(place); err != nil { // the umask is for the folders on the way too
		return nil, err
	}
	lock := flock.New(filepath.Join(place, ".lock"))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		s.tell(a, Progress{Stage: Waiting, To: place})
		locked, err = lock.TryLockContext(ctx, 200*time.Millisecond)
	}
	if err != nil || !locked {
		return nil, errors.Join(err, ctx.Err())
	}
	probe, err := os.MkdirTemp(place, ".fetch-") // the lock may be an old one in a folder that is read-only now
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock, os.Remove(probe)
}

// makeFolder makes a folder that all may enter, as the server's own user must. What is there already is left as it is.
func makeFolder(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // see above
		if errors.Is(err, os.ErrExist) { // another process made it meanwhile
			return nil
		}
		return err
	}
	_ = os.Chmod(dir, 0o755) //nolint:gosec // whatever the umask; not all file systems can
	return nil
}

func (s Source) fetchInto(ctx context.Context, a *Archive, place string) (*Installation, error) {
	final := filepath.Join(place, a.folder())
	if intact(final) == nil { // another process has just fetched it
		return a.installed(final)
	}
	left, _ := filepath.Glob(filepath.Join(place, ".fetch-*")) // by processes that were killed: we hold the lock
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
	work, err := os.MkdirTemp(place, ".fetch-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work) //nolint:errcheck // made by this fetch; the next one tries again
	err = s.fetchVia(ctx, a, work, final)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case noSpace(err):
		return nil, a.full(place)
	case err != nil:
		return nil, fmt.Errorf("fetch %s from %s: %w: %s", a.Name(), a.From, err, Remedy)
	}
	s.tell(a, Progress{Stage: Fetched, To: final, Done: a.Size})
	return a.installed(final)
}

// full is the error of a full disk.
func (a *Archive) full(place string) error {
	return fmt.Errorf("no space left in %s: %s needs %s there: make room, or %s", place, a.Name(), a.room(), Remedy)
}

// installed is a copy that is there, if it can run.
func (a *Archive) installed(folder string) (*Installation, error) {
	i, _ := look(filepath.Join(folder, "bin"))
	if i.Problem == nil {
		i.Problem = probe(i.Bin)
	}
	if i.Problem != nil {
		return nil, fmt.Errorf("%s was fetched to %s, and cannot run here: %w: %s", a.Name(), folder, i.Problem, Remedy)
	}
	i.Fetched = true
	return &i, nil
}

// fetchVia fetches the archive into the folder work, checks it, unpacks it there, and moves the result to final.
func (s Source) fetchVia(ctx context.Context, a *Archive, work, final string) error {
	jar, unpacked := filepath.Join(work, "archive.jar"), filepath.Join(work, "unpacked")
	if err := s.download(ctx, a, jar); err != nil {
		return err
	}
	s.tell(a, Progress{Stage: Unpacking, To: final, Done: a.Size})
	if err := unpack(ctx, jar, unpacked); err != nil {
		return fmt.Errorf("unpack it: %w", err)
	}
	if err := rename(final, filepath.Join(work, "damaged")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return rename(unpacked, final)
}

// tell tells the one who wants to know.
func (s Source) tell(a *Archive, p Progress) {
	if s.Progress == nil {
		return
	}
	p.What, p.From, p.Total = a.Name(), a.From, a.Size
	s.Progress(p)
}

// download is a download and what is there of it.
type download struct {
	file *os.File
	sum  hash.Hash
	done int64
}

func (d *download) restart() error {
	d.sum.Reset()
	d.done = 0
	if err := d.file.Truncate(0); err != nil {
		return err
	}
	_, err := d.file.Seek(0, io.SeekStart)
	return err
}

// finalError is one that another attempt would not mend.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// download fetches the archive to a file and checks what it is. What a cut-off answer gave is kept, and the next one
// goes on.
func (s Source) download(ctx context.Context, a *Archive, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in a folder of ours
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it is read through another handle; an error shows there

	//nolint:forcetypeassert // net/http documents the type
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	defer client.CloseIdleConnections()
	pause := s.fetching.pause
	if pause == nil {
		pause = wait
	}
	d := &download{file: file, sum: sha256.New()}
	resumed := false
	for failed := 0; ; {
		had := d.done
		s.tell(a, Progress{Stage: Fetching, To: filepath.Dir(filepath.Dir(path)), Done: d.done})
		err := s.attempt(ctx, client, a, d)
		if err == nil {
			got := hex.EncodeToString(d.sum.Sum(nil))
			if got == a.sum && d.done == a.Size {
				return nil
			}
			err = fmt.Errorf("wrong checksum: the archive has SHA-256 %s (%d bytes), and this program knows %s (%d bytes); it "+
				"was deleted", got, d.done, a.sum, a.Size)
			if !resumed { // pieces of two answers may not fit
				return err
			}
			resumed, had = false, 0
			if err := d.restart(); err != nil {
				return err
			}
		}
		var final finalError
		if ctx.Err() != nil || errors.As(err, &final) || noSpace(err) {
			return err
		}
		if failed++; d.done-had >= worthwhile {
			failed = 1
		}
		if failed >= attempts {
			return err
		}
		s.tell(a, Progress{Stage: Retrying, To: filepath.Dir(filepath.Dir(path)), Done: d.done, Err: err})
		if err := pause(ctx, time.Duration(failed)*time.Second); err != nil {
			return err
		}
		resumed = resumed || d.done > 0
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// attempt asks for what is missing once.
func (s Source) attempt(ctx context.Context, client *http.Client, a *Archive, d *download) error {
	limit := s.fetching.silence
	if limit == 0 {
		limit = silence
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(limit, func() { cancel(fmt.Errorf("the server sent nothing worth mentioning for %s", limit)) })
	defer quiet.Stop()
	body, err := s.open(ctx, client, a, d)
	if err == nil {
		defer body.Close() //nolint:errcheck // read only
		_, err = io.Copy(d.file, io.TeeReader(&pieces{ctx: ctx, r: io.LimitReader(body, a.Size+1-d.done), each: func(n int) {
			d.done += int64(n)
			s.tell(a, Progress{Stage: Fetching, To: filepath.Dir(filepath.Dir(d.file.Name())), Done: d.done})
		}, enough: func() { quiet.Reset(limit) }}, d.sum))
		if err == nil && d.done < a.Size && a.address.Scheme != "file" {
			err = io.ErrUnexpectedEOF
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer was cut off after %d of %d bytes", d.done, a.Size)
	}
	return err
}

// pieces is a reader that tells of what it reads.
type pieces struct {
	ctx    context.Context
	r      io.Reader
	each   func(n int)
	enough func() // every leastPiece bytes
	some   int
}

// Read implements io.Reader.
func (p *pieces) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	if n > 0 {
		p.each(n)
		if p.some += n; p.some >= leastPiece {
			p.some = 0
			p.enough()
		}
	}
	return n, err
}

// open opens the archive where the download is to go on.
func (s Source) open(ctx context.Context, client *http.Client, a *Archive, d *download) (io.ReadCloser, error) {
	if a.address.Scheme == "file" {
		if err := d.restart(); err != nil {
			return nil, err
		}
		f, err := os.Open(localPath(a.address))
		if err != nil {
			return nil, finalError{fmt.Errorf("the repository has no archive for %s: %w", a.Platform, err)}
		}
		return f, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address.String(), http.NoBody)
	if err != nil {
		return nil, finalError{errors.New("the address cannot be asked")}
	}
	req.Header.Set("User-Agent", "ParliamentExplorer (+https://github.com/parliament-explorer/parliament-explorer)")
	if d.done > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.done))
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, reason(err)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusPartialContent && d.done > 0 &&
		strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", d.done)):
		return resp.Body, nil
	case code == http.StatusOK:
		if d.done > 0 { // a server that does not know of parts
			if err := d.restart(); err != nil {
				_ = resp.Body.Close()
				return nil, err
			}
		}
		return resp.Body, nil
	}
	defer resp.Body.Close() //nolint:errcheck // of no interest
	err = fmt.Errorf("the server answered %s", resp.Status)
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusGone:
		return nil, finalError{fmt.Errorf("the repository has no archive for %s (%s)", a.Platform, resp.Status)}
	case code == http.StatusPartialContent, code == http.StatusRequestedRangeNotSatisfiable:
		return nil, errors.Join(err, d.restart())
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return nil, err
	}
	return nil, finalError{err}
}

// reason is why a request failed, without its address, which may hold a password.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var unknown x509.UnknownAuthorityError
	var roots x509.SystemRootsError
	if errors.As(err, &unknown) || errors.As(err, &roots) {
		return finalError{fmt.Errorf("%w (are this machine's certificates installed? "+
			"Debian: apt-get install ca-certificates)", err)}
	}
	return err
}

// localPath is the path of a file address.
func localPath(u *url.URL) string {
	path := filepath.FromSlash(u.Path)
	if rest := strings.TrimPrefix(path, string(filepath.Separator)); filepath.VolumeName(rest) != "" { // file:///C:/x
		return rest
	}
	return path
}

// Reachable returns why the archive could not be fetched now; nil if it could. It asks without fetching.
func (a *Archive) Reachable(ctx context.Context) error {
	if a.address.Scheme == "file" {
		_, err := os.Stat(localPath(a.address))
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, a.address.String(), http.NoBody)
	if err != nil {
		return errors.New("the address cannot be asked")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reason(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", strconv.Itoa(resp.StatusCode))
	}
	return nil
}
