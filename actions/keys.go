package actions

import (
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// What the verbs of protection keys share (pkeys(7)).
//
// Rules: which key a mapping has, smaps tells. Which rights go with a key, only the process itself can
// read: it does so at its start, and after everything that can have changed them: the pkey_ verbs, foreign
// code, a fork, and memory with PROT_EXEC alone, for which the kernel takes a key of its own. Which keys a
// process has, no file tells either: its own pkey_alloc and pkey_free do, since foreign code cannot call
// the kernel.

// keyRights are the rights that can be taken from a key (pkey_alloc(2)); PKRU has the same two bits.
var keyRights = []constant{
	{"access", "PKEY_DISABLE_ACCESS", vmspace.KeyDisableAccess, "forbid loads and stores"},
	{"write", "PKEY_DISABLE_WRITE", vmspace.KeyDisableWrite, "forbid stores"},
}

var (
	paramKey       = lang.Param{Name: "key", Kind: lang.KindNumber, Show: "KEY", Default: "1", Help: "a protection key, as pkey_alloc gave it"}
	paramKeyRights = lang.Param{Name: "rights", Kind: lang.KindFlags, Optional: true, Words: words(keyRights), Help: "what is forbidden; without a word, nothing is"}
)
