package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/streams/sink"
)

const usersModel = `
name: users
version: 1
fit: {rules: [{name: fintech, when: 'industry == "fintech"', points: 20}]}
groups: {g: {}}
signals:
  - {name: page, group: g, match: {type: segment.page}, points: 1, half_life: never}
  - {name: row, group: g, match: {type: row}, points: 10, half_life: never}
tiers: [{name: A, min: 40}, {name: C}]
`

const usersMapping = `
events:
  - {id: row.id, source: '"rows"', type: '"row"', time: row.at, user: row.user}
`

// Who belongs to an account is learned from calls, and outlives a kill; what nobody
// knows is a dead letter that counts once it is replayed; a profile of a CRM stays.
func TestUsersLeadToTheirAccountsOnRealServers(t *testing.T) {
	t.Parallel()
	mapping := filepath.Join(t.TempDir(), "rows.yaml")
	if err := os.WriteFile(mapping, []byte(usersMapping), 0o600); err != nil {
		t.Fatal(err)
	}
	calls, rows := testenv.Name(t, "calls"), testenv.Name(t, "rows")
	server := testenv.StartRedisFor(t) // read whole at the end
	w := newWorld(t, servers.Kafka(t).Addr(), server.Addr(), writeModel(t, usersModel), 2,
		fmt.Sprintf("TIDEMARK_KAFKA_INPUTS=%s=segment:ignore,%s=mapped:%s", calls, rows, mapping))
	begun := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	n := 0
	call := func(kind, more string) {
		n++
		w.publish(calls, []sink.Message{{Key: []byte("k"), Value: fmt.Appendf(nil, `{"type":%q,"messageId":"m%d","timestamp":%q,%s}`,
			kind, n, begun.Add(time.Duration(n)*time.Second).Format(time.RFC3339), more)}})
	}
	profile := sink.Message{Key: []byte("acme"), Value: fmt.Appendf(nil, `{"specversion":"1.0","id":"p","source":"/crm","type":"account.profile","time":%q,"subject":"acme","data":{"attributes":{"industry":"fintech"}}}`,
		begun.Format(time.RFC3339))}
	w.publish(w.cfg.Kafka.Topics.Profiles, []sink.Message{profile})
	call("page", `"anonymousId":"canary-browser"`) // nobody knows
	call("group", `"groupId":"acme","userId":"canary-user","traits":{"industry":"retail"}`)
	call("page", `"userId":"canary-user"`)
	call("identify", `"userId":"canary-user","anonymousId":"canary-browser","traits":{"email":"canary@gmail.com"}`)
	call("page", `"anonymousId":"canary-browser"`)
	call("page", `"anonymousId":"other","context":{"traits":{"email":"Canary@gmail.com"}}`)
	i := w.serve()
	w.drained()
	if got := w.standing("acme"); got != 20+3 {
		t.Errorf("got %v, want the profile's 20 and three pages", got)
	}
	i.kill()
	w.publish(rows, []sink.Message{{Value: fmt.Appendf(nil, `{"id":"r","at":%q,"user":"canary-user"}`, begun.Add(time.Minute).Format(time.RFC3339))}})
	call("page", `"userId":"canary-user"`)
	w.serve()
	w.drained()
	if got := w.standing("acme"); got != 20+4+10 {
		t.Errorf("got %v after a kill, want a page and a row more", got)
	}
	if headers, _ := letterHeaders(w); len(headers) != 1 || headers[0][sink.HeaderReason] != "no_account" {
		t.Errorf("got dead letters %v, want the first page", headers)
	}
	w.command("dead-letters", "replay", "--reason", "no_account")
	w.drained()
	if got := w.standing("acme"); got != 20+5+10 {
		t.Errorf("got %v after the replay, want a page more", got)
	}
	keys, err := server.Do("KEYS", "*")
	if err != nil || !strings.Contains(fmt.Sprint(keys), ":users:") {
		t.Errorf("got keys %v (%v), want those of users", keys, err)
	}
	// Redis has written all that it was ever told into its log.
	err = filepath.WalkDir(server.Dir(), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(bytes.ToLower(text), []byte("canary")) {
			t.Errorf("%s names a user", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
