package redis

import (
	"context"
	"crypto/sha1" // the script cache's own key, not a protection
	_ "embed"
	"encoding/hex"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua/commit.lua
var commitSource string

//go:embed lua/load.lua
var loadSource string

//go:embed lua/desk.lua
var deskSource string

//go:embed lua/desk_trim.lua
var deskTrimSource string

//go:embed lua/generation.lua
var generationSource string

//go:embed lua/meta.lua
var metaSource string

//go:embed lua/lease_acquire.lua
var acquireSource string

//go:embed lua/lease_release.lua
var releaseSource string

//go:embed lua/alias_claim.lua
var aliasClaimSource string

//go:embed lua/alias_release.lua
var aliasReleaseSource string

//go:embed lua/names.lua
var namesSource string

//go:embed lua/model.lua
var modelSource string

//go:embed lua/user_swap.lua
var userSwapSource string

//go:embed lua/ledger.lua
var ledgerSource string

//go:embed lua/hook_claim.lua
var hookClaimSource string

//go:embed lua/places.lua
var placesSource string

//go:embed lua/settle.lua
var settleSource string

//go:embed lua/hook_done.lua
var hookDoneSource string

// script is a source and the name that the server's cache knows it by.
type script struct{ source, sha string }

// scripts are all that a Store calls.
type scripts struct {
	commit, accounts, generation, meta, acquire, release, aliasClaim, aliasRelease, names, model, userSwap, desk, deskTrim, ledger, hookClaim, hookDone, places, settle script
}

// newScripts prepares the sources. Real servers get them with the shebang: with
// it the server refuses a script before its first command when memory is out,
// instead of failing in the middle. miniredis knows no shebang and gets an empty
// line there, so that line numbers stay.
func newScripts(embedded bool) scripts {
	prepare := func(source string) script {
		if _, rest, _ := strings.Cut(source, "\n"); embedded {
			source = "\n" + rest
		}
		sum := sha1.Sum([]byte(source)) // see the import
		return script{source: source, sha: hex.EncodeToString(sum[:])}
	}
	return scripts{
		commit: prepare(commitSource), accounts: prepare(loadSource), generation: prepare(generationSource), meta: prepare(metaSource),
		acquire: prepare(acquireSource), release: prepare(releaseSource),
		aliasClaim: prepare(aliasClaimSource), aliasRelease: prepare(aliasReleaseSource),
		names: prepare(namesSource), model: prepare(modelSource), userSwap: prepare(userSwapSource), desk: prepare(deskSource), deskTrim: prepare(deskTrimSource),
		ledger: prepare(ledgerSource), hookClaim: prepare(hookClaimSource), hookDone: prepare(hookDoneSource), places: prepare(placesSource), settle: prepare(settleSource),
	}
}

func (s scripts) all() []script {
	return []script{
		s.commit, s.accounts, s.generation, s.meta, s.acquire, s.release, s.aliasClaim, s.aliasRelease, s.names, s.model,
		s.userSwap, s.desk, s.deskTrim, s.ledger, s.hookClaim, s.hookDone, s.places, s.settle,
	}
}

// load loads the scripts on every server, after one of them had forgotten.
func (s scripts) load(ctx context.Context, client goredis.UniversalClient) error {
	for _, sc := range s.all() {
		if err := client.ScriptLoad(ctx, sc.source).Err(); err != nil {
			return err
		}
	}
	return nil
}
