package explain

// sentences are what there is to say of a verb, or of a system call of that name.
type sentences struct {
	why     func(*evidence) string // where it went well; left out, the changes speak
	reasons []reason               // what an errno means
	failed  string                 // what holds after a failure that left no change; left out, it is that nothing has changed
}

// verbs are the sentences by the name of the verb. Where all is said by what has changed, there is
// no line.
var verbs = map[string]*sentences{
	"mmap":          &mmapSentences,
	"munmap":        &munmapSentences,
	"mprotect":      &mprotectSentences,
	"mremap":        &mremapSentences,
	"madvise":       &madviseSentences,
	"msync":         &msyncSentences,
	"mlock":         &mlockSentences,
	"munlock":       &munlockSentences,
	"mlockall":      &mlockallSentences,
	"munlockall":    &munlockallSentences,
	"mincore":       &mincoreSentences,
	"mseal":         &msealSentences,
	"pkey_alloc":    &pkeyAllocSentences,
	"pkey_free":     &pkeyFreeSentences,
	"pkey_mprotect": &pkeyMprotectSentences,
	"pkey_set":      &pkeySetSentences,
	"brk":           &brkSentences,
	"read":          {why: explainAccess},
	"write":         {why: explainAccess},
	"touch":         {why: explainAccess},
	"fill":          {why: explainAccess},
	"exec":          {why: explainExec},
	"fork":          &forkSentences,
	"exit":          {why: explainDeath},
	"kill":          {why: explainDeath},
	"wait":          &waitSentences,
	"file":          {why: explainFile},
	"fwrite":        {why: explainFile},
	"truncate":      {why: explainFile},
	"cat":           {why: explainFile},
	"rm":            {why: explainFile},
	"snapshot":      &snapshotSentences,
	"use":           &useSentences,
	"restart":       &restartSentences,
}
