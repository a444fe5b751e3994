package explain

// sentences are the explanations of a verb, or of a system call of that name.
type sentences struct {
	why     func(*evidence) string // for success; nil if the changes are the explanation
	reasons []reason               // what an errno means
	span    bool                   // it is about a range, and does nothing if that is empty
	// failed is the sentence after a failure without a change; the default is that nothing has
	// changed.
	failed string
}

// verbs are the sentences by the name of the verb. A verb whose changes are the whole explanation
// has no line.
var verbs = map[string]*sentences{
	"mmap":          {why: explainMmap, reasons: mmapReasons, failed: "Nothing was mapped."},
	"munmap":        {why: explainMunmap, reasons: munmapReasons},
	"mprotect":      {why: explainMprotect, reasons: mprotectReasons, span: true},
	"mremap":        {why: explainMremap, reasons: mremapReasons},
	"madvise":       {why: explainMadvise, reasons: madviseReasons, span: true},
	"msync":         {why: explainMsync, reasons: msyncReasons, span: true},
	"mlock":         {why: explainLock, reasons: mlockReasons, span: true},
	"munlock":       &munlockSentences,
	"mlockall":      {why: explainLock, reasons: mlockallReasons},
	"munlockall":    &munlockallSentences,
	"mincore":       &mincoreSentences,
	"mseal":         &msealSentences,
	"pkey_alloc":    &pkeyAllocSentences,
	"pkey_free":     &pkeyFreeSentences,
	"pkey_mprotect": &pkeyMprotectSentences,
	"pkey_set":      &pkeySetSentences,
	"setrlimit":     {why: explainSetrlimit, reasons: setrlimitReasons},
	"prctl ksm":     &prctlKSMSentences,
	"prctl thp":     &prctlTHPSentences,
	"prctl mdwe":    &prctlMDWESentences,
	"brk":           {why: explainBrk, reasons: brkReasons, failed: "The end of the heap stays where it is."},
	"read":          {why: explainAccess},
	"write":         {why: explainAccess},
	"touch":         {why: explainAccess},
	"fill":          {why: explainAccess},
	"exec":          {why: explainExec},
	"fork":          {why: explainFork, reasons: forkReasons, failed: "There is no child."},
	"vfork":         {why: explainVfork, reasons: vforkReasons, failed: "There is no child."},
	"thread":        {why: explainThread, reasons: threadReasons, failed: "There is no thread."},
	"thread_exit":   {why: explainThreadExit},
	"exit":          {why: explainDeath},
	"kill":          {why: explainDeath},
	"wait":          &waitSentences,
	"file":          {why: explainOutside, reasons: fileReasons},
	"memfd":         {why: explainMemfd, reasons: memfdReasons, failed: "No file was made."},
	"seal":          {why: explainSeal, reasons: sealReasons},
	"link":          {why: explainLink},
	"rename":        {why: explainRename},
	"fwrite":        {why: explainOutside, reasons: fwriteReasons},
	"truncate":      {why: explainTruncate, reasons: truncateReasons},
	"fallocate":     {why: explainFallocate, reasons: fallocateReasons},
	"cat":           {why: explainCat, reasons: catReasons},
	"rm":            {why: explainRemove},
	"snapshot":      &snapshotSentences,
	"use":           &useSentences,
	"restart":       &restartSentences,

	"mbind":            {why: explainMbind, reasons: mbindReasons, span: true},
	"move_pages":       {why: explainMovePages, reasons: movePagesReasons},
	"process_madvise":  &processMadviseSentences,
	"remap_file_pages": {why: explainRemapFilePages, reasons: remapFilePagesReasons},
	"uffd_register":    &uffdRegisterSentences,
	"uffd_unregister":  &uffdUnregisterSentences,
	"uffd_copy":        {why: explainUffdFill, reasons: uffdFill},
	"uffd_zeropage":    {why: explainUffdFill, reasons: uffdFill},
	"uffd_continue":    &uffdContinueSentences,
	"uffd_move":        &uffdMoveSentences,
	"uffd_poison":      &uffdPoisonSentences,
	"uffd_wp":          &uffdWPSentences,
	"uffd_unwp":        &uffdUnwpSentences,
}
