package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// answers is an Accounts that remembers what it was asked.
type answers struct {
	get  AccountQuery
	list ListQuery
	err  error
}

func (a *answers) Get(_ context.Context, q AccountQuery) (*Account, error) {
	a.get = q
	return &Account{Account: q.Account}, a.err
}

func (a *answers) List(_ context.Context, q ListQuery) (*AccountPage, error) {
	a.list = q
	return &AccountPage{}, a.err
}

func ask(t *testing.T, h http.Handler, method, path string) (int, Problem) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "http://127.0.0.1"+path, http.NoBody))
	var p Problem
	if w.Code >= 400 {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d is no problem: %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code, p
}

// A request that can't be used says which parameter is wrong and what to do.
func TestFaultyRequestsForAccounts(t *testing.T) {
	t.Parallel()
	room := AccountsRoom(&answers{}, Access{Local: true}, zerolog.Nop())
	for _, c := range []struct {
		method, path string
		status       int
		detail       string
	}{
		{"GET", "/api/v1/accounts?limit=0", 400, `limit: "0" is not a number from 1 to 500`},
		{"GET", "/api/v1/accounts?limit=many", 400, `limit: "many" is not a number`},
		{"GET", "/api/v1/accounts?teir=A", 400, "teir: is no parameter here; there are: tier, class, limit, cursor"},
		{"GET", "/api/v1/accounts/acme.example?at=tomorrow", 400, `at: "tomorrow" is not an RFC 3339 instant`},
		{"GET", "/api/v1/accounts/acme.example?changes=101", 400, `changes: "101" is not a number from 0 to 100`},
		{"GET", "/api/v1/accounts/acme.example?tier=A", 400, "tier: is no parameter here; there are: at, changes"},
		{"GET", "/api/v1/accounts/acme.example/receipt", 404, "there is GET /api/v1/accounts, GET /api/v1/accounts/{id}"},
		{"POST", "/api/v1/accounts", 405, "use GET"},
		{"DELETE", "/api/v1/accounts/acme.example", 405, "use GET"},
	} {
		if status, p := ask(t, room, c.method, c.path); status != c.status || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s %s: got %d %q, want %d …%s…", c.method, c.path, status, p.Detail, c.status, c.detail)
		}
	}
}

func TestRequestsForAccountsAreHandedOn(t *testing.T) {
	t.Parallel()
	a := &answers{}
	room := AccountsRoom(a, Access{Local: true}, zerolog.Nop())
	ask(t, room, "GET", "/api/v1/accounts")
	if want := (ListQuery{Limit: DefaultPage}); a.list != want {
		t.Errorf("got %+v, want %+v", a.list, want)
	}
	ask(t, room, "GET", "/api/v1/accounts?tier=A&class=bulk&limit=7&cursor=x")
	if want := (ListQuery{"A", "bulk", 7, "x"}); a.list != want {
		t.Errorf("got %+v, want %+v", a.list, want)
	}
	ask(t, room, "GET", "/api/v1/accounts/west%2Facme.example?at=2026-11-02T09:00:00Z&changes=0")
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	if a.get.Account != "west/acme.example" || a.get.Changes != 0 || a.get.At == nil || !a.get.At.Equal(at) {
		t.Errorf("got %+v", a.get)
	}
}

func TestWhatTheAccountsSayIsToldAsAProblem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{fmt.Errorf("%w: %q in namespace %q", ErrNoAccount, "x", "tm"), 404, `no such account: "x"`},
		{&QueryError{"tier", `"Z" is not one of A, B`}, 400, `tier: "Z" is not one of A, B`},
		{errors.New("redis at 10.0.0.1 is gone"), 503, "try again"},
	} {
		room := AccountsRoom(&answers{err: c.err}, Access{Local: true}, zerolog.Nop())
		for _, path := range []string{AccountsPath, AccountsPath + "/x"} {
			if status, p := ask(t, room, "GET", path); status != c.status || !strings.Contains(p.Detail, c.detail) || strings.Contains(p.Detail, "10.0.0.1") {
				t.Errorf("%v: got %d %q, want %d …%s…", c.err, status, p.Detail, c.status, c.detail)
			}
		}
	}
}

// Accounts and the model are for those who have the token, as MQAs are.
func TestReadingAsksForTheToken(t *testing.T) {
	t.Parallel()
	access := Access{Token: "s3cret"}
	for path, room := range map[string]*Room{
		AccountsPath: AccountsRoom(&answers{}, access, zerolog.Nop()), AccountsPath + "/x": AccountsRoom(&answers{}, access, zerolog.Nop()),
		ModelPath: ModelRoom(nil, access, zerolog.Nop()),
	} {
		if status, _ := ask(t, room, "GET", path); status != http.StatusUnauthorized {
			t.Errorf("%s without the token: got %d, want 401", path, status)
		}
	}
}

// What nobody answers is told with all that there is, once that is known.
func TestNowhere(t *testing.T) {
	t.Parallel()
	routes := AccountsRoom(nil, Access{}, zerolog.Nop()).Routes()
	for whole, want := range map[bool]Problem{
		true:  {Status: 404, Detail: "there is GET /api/v1/accounts, GET /api/v1/accounts/{id}"},
		false: {Status: 503, Detail: "the instance is starting; try again"},
	} {
		room := Nowhere(func() ([]Route, bool) { return routes, whole })
		if status, p := ask(t, room, "GET", "/api/v2"); status != want.Status || p.Detail != want.Detail {
			t.Errorf("got %d %q, want %d %q", status, p.Detail, want.Status, want.Detail)
		}
	}
}
