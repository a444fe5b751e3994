package verb

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// seals are the F_SEAL_ constants of fcntl(2).
var seals = []Constant{
	{history.SealWrite.String(), "F_SEAL_WRITE", uint64(history.SealWrite), "nobody writes to it any more"},
	{history.SealFutureWrite.String(), "F_SEAL_FUTURE_WRITE", uint64(history.SealFutureWrite), "only mappings that are there already write to it"},
	{history.SealGrow.String(), "F_SEAL_GROW", uint64(history.SealGrow), "it gets no larger"},
	{history.SealShrink.String(), "F_SEAL_SHRINK", uint64(history.SealShrink), "it gets no smaller"},
	{history.SealSeal.String(), "F_SEAL_SEAL", uint64(history.SealSeal), "it gets no other seal"},
	{history.SealExec.String(), "F_SEAL_EXEC", uint64(history.SealExec), "whether it may be executed stays as it is (Linux 6.3)"},
}

var sealAction = fileVerb(lang.Verb{Name: "seal", Summary: "forbid for ever to write to a memfd, or to resize it",
	Params: []lang.Param{ParamFile, {Name: "seals", Kind: lang.KindFlags, Words: words(seals), Show: "SEAL", Help: "what nobody may do any more"}}},
	func(c *Call, name string) error {
		c.Call = fmt.Sprintf("fcntl(%q, F_ADD_SEALS, %s)", name, c.Args.Names)
		return c.F.Files.Seal(name, history.Seals(c.Args.Flags))
	}, seals...)
