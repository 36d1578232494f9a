// Checks a mirror of a tiled log, a receipt and an older head with golang.org/x/mod/sumdb/note and tlog alone.
//
//	main FOLDER NAME ED25519-KEY-IN-HEX WITNESS-NAME WITNESS-ED25519-KEY-IN-HEX
//
// The folder has: checkpoint, older (an older checkpoint), cosigned (a checkpoint that the witness cosigned), receipt (c2sp.org/tlog-proof), tile/… by their paths.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type mirror string

func (m mirror) Height() int { return 8 }

func (m mirror) SaveTiles([]tlog.Tile, [][]byte) {}

// A go.sum database has the height in its paths, tlog-tiles has not.
func (m mirror) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		bytes, err := os.ReadFile(filepath.Join(string(m), strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func open(text []byte, verifier note.Verifier) tlog.Tree {
	opened := must(note.Open(text, note.VerifierList(verifier)))
	lines := strings.Split(opened.Text, "\n")
	return tlog.Tree{N: must(strconv.ParseInt(lines[1], 10, 64)), Hash: must(tlog.ParseHash(lines[2]))}
}

// A cosignature (c2sp.org/tlog-cosignature) is a signature of another type, for which the package takes a verifier.
type witness struct {
	name string
	key  ed25519.PublicKey
}

func (w witness) Name() string { return w.name }

func (w witness) KeyHash() uint32 {
	hash := sha256.Sum256(append([]byte(w.name+"\n\x04"), w.key...))
	return binary.BigEndian.Uint32(hash[:])
}

func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(w.key, []byte(message), signature[8:])
}

func entries(folder string, size int64) [][]byte {
	var all [][]byte
	for first := int64(0); first < size; first += 256 {
		width := int(size - first)
		if width > 256 {
			width = 256
		}
		path := tlog.Tile{H: 8, L: -1, N: first / 256, W: width}.Path()
		bundle := must(os.ReadFile(filepath.Join(folder, strings.Replace(path, "tile/8/data/", "tile/entries/", 1))))
		for len(bundle) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			all = append(all, bundle[2:end])
			bundle = bundle[end:]
		}
	}
	return all
}

func main() {
	folder, name := os.Args[1], os.Args[2]
	read := func(file string) []byte { return must(os.ReadFile(filepath.Join(folder, file))) }
	key := must(note.NewEd25519VerifierKey(name, must(hex.DecodeString(os.Args[3]))))
	verifier := must(note.NewVerifier(key))

	tree := open(read("checkpoint"), verifier)
	older := open(read("older"), verifier)
	open(read("cosigned"), witness{os.Args[4], must(hex.DecodeString(os.Args[5]))})
	hashes := tlog.TileHashReader(tree, mirror(folder))
	for index, entry := range entries(folder, tree.N) {
		proof := must(tlog.ProveRecord(tree.N, int64(index), hashes))
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry)))
	}
	growth := must(tlog.ProveTree(tree.N, older.N, hashes))
	check(tlog.CheckTree(growth, tree.N, tree.Hash, older.N, older.Hash))

	head, signed, _ := strings.Cut(string(read("receipt")), "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		check(fmt.Errorf("%q is no proof", lines[0]))
	}
	entry := must(base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra ")))
	index := must(strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64))
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		proof = append(proof, must(tlog.ParseHash(line)))
	}
	proven := open([]byte(signed), verifier)
	check(tlog.CheckRecord(proof, proven.N, proven.Hash, index, tlog.RecordHash(entry)))
	fmt.Printf("%d entries hold, %d before; receipt of entry %d holds\n", tree.N, older.N, index)
}
