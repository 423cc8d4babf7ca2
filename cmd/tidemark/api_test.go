package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/api"
	"tidemark/streams/sink"
)

// http asks an instance that serves at an address, and returns what it says.
func (w *world) http(address, path string) (int, []byte) {
	w.t.Helper()
	response, err := http.Get("http://" + address + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, body
}

// Pages over HTTP and by the command have every account once, in hashes of a real Redis
// that are walked in many steps.
func TestListingsOnRealServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, twoVisits), 2, "TIDEMARK_REDIS_SHARDS=2")
	address := "127.0.0.1:" + newShell(t).port("8080")
	i := w.serve("TIDEMARK_HTTP_ADDR=" + address)
	now := time.Now()
	var events []sink.Message
	want := map[string][]string{}
	for n := range 700 {
		account, tier := fmt.Sprintf("firm/%03d", n), "cold"
		events = append(events, visit(account+"-1", account, now))
		if n%7 == 0 {
			tier = "hot"
			events = append(events, visit(account+"-2", account, now))
		}
		want[tier] = append(want[tier], account)
		want[""] = append(want[""], account)
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, events)
	w.drained()
	for tier, accounts := range want {
		for _, limit := range []int{9, 500} {
			var got []string
			for cursor := ""; ; {
				status, body := w.http(address, fmt.Sprintf("/api/v1/accounts?tier=%s&limit=%d&cursor=%s", tier, limit, url.QueryEscape(cursor)))
				var page api.AccountPage
				if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK || len(page.Accounts) > limit {
					t.Fatalf("%d accounts, status %d, %v in %s", len(page.Accounts), status, err, body)
				}
				for _, a := range page.Accounts {
					got = append(got, a.Account)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if slices.Sort(got); !slices.Equal(got, accounts) {
				t.Errorf("tier %q by %d: got %d accounts, want %d", tier, limit, len(got), len(accounts))
			}
		}
	}
	w.listByCommand(t, len(want["hot"]))
	status, body := w.http(address, "/api/v1/accounts/FIRM%2F007")
	var a api.Account
	if err := json.Unmarshal(body, &a); err != nil || status != http.StatusOK || a.Account != "firm/007" || a.Tier != "hot" || a.Changes == nil || len(*a.Changes) != 1 {
		t.Errorf("firm/007: status %d, %v, %s", status, err, body)
	}
	if status, body := w.http(address, "/api/v1/accounts/nobody"); status != http.StatusNotFound {
		t.Errorf("nobody: status %d, %s", status, body)
	}
	var same api.Account
	if err := json.Unmarshal(w.command("accounts", "get", "firm/007", "--at", a.At, "--changes", "10"), &same); err != nil || same.Score != a.Score || len(*same.Changes) != 1 {
		t.Errorf("accounts get: %v, got %+v, want %+v", err, same, a)
	}
	i.stop()
}

// listByCommand wants `accounts list` to list so many hot accounts, in parts and whole.
func (w *world) listByCommand(t *testing.T, hot int) {
	t.Helper()
	list := func(args ...string) string {
		return string(w.command(append([]string{"accounts", "list", "--tier", "hot"}, args...)...))
	}
	wantText(t, list("--limit", "0"), "| firm/007 | hot  | 80.0  | -     | -          |   1 |", fmt.Sprintf("\n%d accounts\n", hot))
	wantText(t, list("--limit", "3"), "\n3 accounts; there may be more: --cursor ")
	seen := map[string]bool{}
	for cursor := ""; ; {
		d := json.NewDecoder(strings.NewReader(list("--json", "--limit", "60", "--cursor", cursor)))
		cursor = ""
		for d.More() {
			var line struct {
				api.Listed
				Next string `json:"next_cursor"`
			}
			if err := d.Decode(&line); err != nil {
				t.Fatal(err)
			}
			if cursor = line.Next; cursor == "" {
				seen[line.Account] = true
			}
		}
		if cursor == "" {
			break
		}
	}
	if len(seen) != hot {
		t.Errorf("accounts list --json: got %d accounts, want %d", len(seen), hot)
	}
	code, _, stderr := command(t, w.env, "accounts", "list", "--tier", "warm")
	if wantText(t, stderr, `--tier: "warm" is not one of hot, cold`); code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
}
