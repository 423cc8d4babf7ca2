package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/store"
)

// maxAliasTime keeps times comparable in Lua, whose numbers are float64.
const maxAliasTime = 1 << 53

// ResolveAliases returns the account of each domain that has one, in one round trip.
func (s *Store) ResolveAliases(ctx context.Context, domains []string) (map[string]string, error) {
	buckets := s.aliasBuckets(domains)
	replies := make(map[int]*goredis.SliceCmd, len(buckets))
	err := s.pipe(ctx, "resolve aliases", func(p goredis.Pipeliner) {
		for bucket, domains := range buckets {
			replies[bucket] = p.HMGet(ctx, s.keys.shards[bucket].aliases, domains...)
		}
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(domains))
	for bucket, reply := range replies {
		for i, value := range reply.Val() {
			held, found := value.(string)
			if !found {
				continue
			}
			_, account, whole := strings.Cut(held, " ")
			if !whole {
				return nil, fmt.Errorf("resolve alias %q: stored value %q has no account", buckets[bucket][i], held)
			}
			out[buckets[bucket][i]] = account
		}
	}
	return out, nil
}

// ClaimAliases gives each domain to its account unless a claim of a later Time has
// it; of equal times the later call wins. A repeat changes nothing. If it fails,
// some of the claims may have been made.
func (s *Store) ClaimAliases(ctx context.Context, claims []store.Alias) error {
	args := map[int][]any{}
	for _, c := range claims {
		if c.Time <= -maxAliasTime || c.Time >= maxAliasTime {
			return fmt.Errorf("claim alias %q: time %d is not in Unix milliseconds", c.Domain, c.Time)
		}
		bucket := s.keys.aliasBucket(c.Domain)
		args[bucket] = append(args[bucket], c.Domain, strconv.FormatInt(c.Time, 10), c.Account)
	}
	return s.callBuckets(ctx, "claim aliases", s.scripts.aliasClaim, args)
}

// ReleaseAliases takes from the account those of the domains that it still has.
func (s *Store) ReleaseAliases(ctx context.Context, account string, domains []string) error {
	args := map[int][]any{}
	for bucket, domains := range s.aliasBuckets(domains) {
		args[bucket] = append(args[bucket], account)
		for _, domain := range domains {
			args[bucket] = append(args[bucket], domain)
		}
	}
	return s.callBuckets(ctx, "release aliases", s.scripts.aliasRelease, args)
}

func (s *Store) aliasBuckets(domains []string) map[int][]string {
	buckets := map[int][]string{}
	for _, domain := range domains {
		bucket := s.keys.aliasBucket(domain)
		buckets[bucket] = append(buckets[bucket], domain)
	}
	return buckets
}

func (s *Store) callBuckets(ctx context.Context, op string, sc script, args map[int][]any) error {
	return s.pipe(ctx, op, func(p goredis.Pipeliner) {
		for bucket, args := range args {
			p.EvalSha(ctx, sc.sha, []string{s.keys.shards[bucket].aliases}, args...)
		}
	})
}
