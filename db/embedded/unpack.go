package embedded

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ulikunitz/xz"
)

// mostUnpacked is how much an archive may hold.
const mostUnpacked = 1 << 30

// contents is what an unpacked archive must hold to be whole; it lies in the folder itself, as contentsName.
type contents struct {
	Files []content `json:"files"`
}

type content struct {
	Path string `json:"path"`
	Size int64  `json:"size,omitempty"`
	CRC  uint32 `json:"crc,omitempty"`
	Exec bool   `json:"exec,omitempty"`
	Link string `json:"link,omitempty"` // of a symbolic link
}

const contentsName = ".contents.json"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// unpack unpacks the server binaries of an archive, a .jar with one .txz in it, into a new folder. Nothing is written
// outside of it, whatever the archive says.
func unpack(ctx context.Context, jar, into string) (err error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer z.Close() //nolint:errcheck // read only
	var packed *zip.File
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".txz") {
			packed = f
		}
	}
	if packed == nil {
		return errors.New("there is no .txz in it")
	}
	r, err := packed.Open()
	if err != nil {
		return err
	}
	defer r.Close()                            //nolint:errcheck // read only
	x, err := xz.NewReader(bufio.NewReader(r)) // which reads single bytes
	if err != nil {
		return err
	}
	if err := os.Mkdir(into, 0o755); err != nil { //nolint:gosec // as root, the server's own user must read it
		return err
	}
	if err := os.Chmod(into, 0o755); err != nil { //nolint:gosec // the same, whatever the umask
		return err
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	u := &unpacking{ctx: ctx, root: root, tar: tar.NewReader(io.LimitReader(x, mostUnpacked))}
	for {
		h, err := u.tar.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = u.entry(h)
		}
		if err != nil {
			return err
		}
	}
	list, err := json.Marshal(u.contents)
	if err != nil {
		return err
	}
	return u.write(contentsName, 0o644, strings.NewReader(string(list)))
}

type unpacking struct {
	ctx  context.Context
	root *os.Root
	tar  *tar.Reader
	contents
}

// entry unpacks one entry.
func (u *unpacking) entry(h *tar.Header) error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	name := path.Clean(h.Name)
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%q leads out of its folder", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeDir:
		return u.folder(name)
	case tar.TypeReg:
		if err := u.folder(path.Dir(name)); err != nil {
			return err
		}
		exec := h.Mode&0o111 != 0
		mode := fs.FileMode(0o644)
		if exec {
			mode = 0o755
		}
		sum := crc32.New(castagnoli)
		if err := u.write(name, mode, io.TeeReader(u.tar, sum)); err != nil {
			return err
		}
		u.Files = append(u.Files, content{Path: name, Size: h.Size, CRC: sum.Sum32(), Exec: exec})
		return nil
	case tar.TypeSymlink:
		target := path.Join(path.Dir(name), h.Linkname) //nolint:gosec // the next line checks it
		if path.IsAbs(h.Linkname) || !filepath.IsLocal(filepath.FromSlash(target)) {
			return fmt.Errorf("the link %q leads out of its folder", h.Name)
		}
		if err := u.folder(path.Dir(name)); err != nil {
			return err
		}
		u.Files = append(u.Files, content{Path: name, Link: h.Linkname})
		return u.root.Symlink(h.Linkname, filepath.FromSlash(name))
	}
	return fmt.Errorf("%q is neither a file, a folder nor a link", h.Name)
}

// folder makes a folder that all may enter, whatever the umask.
func (u *unpacking) folder(name string) error {
	if name == "." {
		return nil
	}
	if _, err := u.root.Lstat(name); err == nil {
		return nil
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	return u.root.Chmod(name, 0o755)
}

func (u *unpacking) write(name string, mode fs.FileMode, r io.Reader) error {
	f, err := u.root.OpenFile(filepath.FromSlash(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(mode) // whatever the umask
	}
	return errors.Join(err, f.Close())
}

// intact says what is wrong with an unpacked folder; nil if everything is there as it was unpacked.
func intact(folder string) error {
	raw, err := os.ReadFile(filepath.Join(folder, contentsName)) //nolint:gosec // in the cache
	if err != nil {
		return err
	}
	var want contents
	if err := json.Unmarshal(raw, &want); err != nil || len(want.Files) == 0 {
		return errors.New(contentsName + " cannot be read")
	}
	for _, c := range want.Files {
		if err := c.check(filepath.Join(folder, filepath.FromSlash(c.Path))); err != nil {
			return err
		}
	}
	return nil
}

func (c content) check(path string) error {
	if c.Link != "" {
		if link, err := os.Readlink(path); err != nil || filepath.ToSlash(link) != c.Link {
			return fmt.Errorf("%s is not the link that was unpacked", path)
		}
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != c.Size || runtime.GOOS != "windows" && c.Exec && info.Mode()&0o100 == 0 {
		return fmt.Errorf("%s is not the file that was unpacked", path)
	}
	f, err := os.Open(path) //nolint:gosec // in the cache
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if sum.Sum32() != c.CRC {
		return fmt.Errorf("%s was changed after it was unpacked", path)
	}
	return nil
}
