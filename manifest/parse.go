package manifest

import (
	"bytes"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// maxSize is the largest manifest that the kubelet reads
// (k8s.io/kubernetes pkg/kubelet/config/common.go, maxConfigLength).
const maxSize = 10 << 20

// bom is the UTF-8 byte order mark, which the kubelet's parser skips.
var bom = []byte("\xef\xbb\xbf")

// File is a static pod manifest that can be edited: a Pod in which exactly
// one container runs kube-apiserver.
type File struct {
	name      string
	src       []byte // all of it
	body      []byte // without the byte order mark
	json      []byte // what the kubelet decodes
	pod       *corev1.Pod
	doc       *document
	index     int // of the API server's container
	program   int // how many items of command and args come before the flags
	unknown   []string
	flagItems []item
	lastFlag  map[string]int // index in flagItems of the one that counts, by name
	nameless  *Error
}

// Parse reads a manifest. name is what errors call it. It refuses, with an
// *Error, what Apply could not edit safely and what the kubelet would not
// accept.
func Parse(name string, src []byte) (*File, error) {
	f := newFile(name, src)
	err := checkBytes(f.src)
	if err == nil {
		err = f.decode()
	}
	if err == nil {
		err = f.locate()
	}
	if err != nil {
		err.File = name
		return nil, err
	}
	return f, nil
}

func newFile(name string, src []byte) *File {
	return &File{name: name, src: src, body: bytes.TrimPrefix(src, bom)}
}

// locate finds in the text what edits touch, in a file that decodes.
func (f *File) locate() *Error {
	var err *Error
	if f.index, f.program, err = findServer(f.pod, f.doc.root); err != nil {
		return err
	}
	if err = f.doc.locate(f.index); err != nil {
		return err
	}
	if err = f.doc.checkPlaceholders(); err != nil {
		return err
	}
	if f.flagItems, err = f.readItems(); err != nil {
		return err
	}
	f.lastFlag = make(map[string]int, len(f.flagItems))
	for i, it := range f.flagItems {
		f.lastFlag[it.Name] = i
	}
	if f.nameless, err = checkPod(f.pod, f.doc); f.nameless != nil {
		f.nameless.File = f.name
	}
	return err
}

// Nameless is what the kubelet says of a container without a name, nil when
// all have one. Excerpts in documentation leave it out, so Parse and Apply take
// such a Pod; on a node it must not be written.
func (f *File) Nameless() error {
	if f.nameless == nil {
		return nil // not a nil *Error in an error
	}
	return f.nameless
}

// checkBytes refuses what is not text, or too much of it.
func checkBytes(src []byte) *Error {
	body := bytes.TrimPrefix(src, bom)
	switch {
	case len(src) > maxSize:
		return refuse(0, 0, "the file is larger than 10 MiB: the kubelet does not read it")
	case len(bytes.TrimSpace(body)) == 0:
		return refuse(0, 0, "the file is empty")
	case bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")):
		return refuse(1, 1, "this is UTF-16").hint("save the file as UTF-8")
	}
	for i := 0; i < len(body); {
		r, n := utf8.DecodeRune(body[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return refuseAt(body, i, "this byte is not valid UTF-8: 0x%02x", body[i]).hint("save the file as UTF-8")
		case r == 0:
			return refuseAt(body, i, "there is a NUL byte here: this is not a text file")
		}
		i += n
	}
	return nil
}

// refuseAt is a refusal of what is at offset off.
func refuseAt(src []byte, off int, format string, args ...any) *Error {
	line, col := newText(src).position(off)
	return refuse(line, col, format, args...)
}

// refuseNode is a refusal of what node n says.
func refuseNode(n *yaml.Node, format string, args ...any) *Error {
	return refuse(n.Line, n.Column, format, args...)
}

// Name is what errors call the file.
func (f *File) Name() string { return f.name }

// Bytes is the whole text as it was read.
func (f *File) Bytes() []byte { return f.src }

// Pod is the manifest as the kubelet decodes it. It must not be changed.
func (f *File) Pod() *corev1.Pod { return f.pod }

// Container is the one that runs kube-apiserver.
func (f *File) Container() *corev1.Container { return &f.pod.Spec.Containers[f.index] }

// Unknown lists fields that the kubelet does not know and ignores, usually
// misspelt ones.
func (f *File) Unknown() []string { return f.unknown }
