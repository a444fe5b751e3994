package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// mostDebug is the largest debug file whose checksum is computed.
const mostDebug = 256 << 20

// findDebugFile opens the separate debug file of an object: by its build-id, which the debug file
// must have too, else by the name and the checksum in .gnu_debuglink, in the folders where gdb
// looks (Debugging Information in Separate Files, in gdb's manual).
func findDebugFile(f *elf.File, path, root string) (*os.File, error) {
	if id := buildID(f); len(id) > 2 {
		name := hex.EncodeToString(id)
		if file, _, err := openFile(filepath.Join(root, ".build-id", name[:2], name[2:]+".debug"), nil); err == nil {
			if d, err := parseELF(file, mostHeaders); err == nil && bytes.Equal(buildID(d), id) {
				return file, nil
			}
			file.Close()
		}
	}
	s := f.Section(".gnu_debuglink")
	if s == nil {
		return nil, errors.New("no debug file")
	}
	link, err := sectionData(s, mostName)
	if err != nil || len(link) < 8 {
		return nil, errors.New("no debug file")
	}
	name, sum := cString(link), f.ByteOrder.Uint32(link[len(link)-4:])
	if name == "" || strings.Contains(name, "/") {
		return nil, errors.New("no debug file")
	}
	dir := filepath.Dir(path)
	for _, try := range []string{filepath.Join(dir, name), filepath.Join(dir, ".debug", name), filepath.Join(root, dir, name)} {
		file, id, err := openFile(try, nil)
		if err != nil {
			continue
		}
		crc := crc32.NewIEEE()
		if id.size <= mostDebug {
			if n, err := io.Copy(crc, io.LimitReader(file, mostDebug)); err == nil && n == id.size && crc.Sum32() == sum {
				return file, nil
			}
		}
		file.Close()
	}
	return nil, errors.New("no debug file")
}

// buildID is the content of the note NT_GNU_BUILD_ID.
func buildID(f *elf.File) []byte {
	s := f.Section(".note.gnu.build-id")
	if s == nil {
		return nil
	}
	b, err := sectionData(s, mostName)
	if err != nil || len(b) < 16 || string(b[12:16]) != "GNU\x00" {
		return nil
	}
	return b[16:min(len(b), 16+int(f.ByteOrder.Uint32(b[4:])))]
}
