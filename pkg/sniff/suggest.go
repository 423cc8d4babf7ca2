package sniff

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tidemark/streams/codec"
)

// guess is what members an attribute is often found in, best first, compared in
// lower case without underscores.
var guess = struct{ id, time, typ, email, title, contact, domain, account []string }{
	id:      []string{"id", "eventid", "messageid", "uuid", "guid", "rowid", "activityid"},
	time:    []string{"time", "timestamp", "occurredat", "eventtime", "createdat", "created", "date", "updatedat", "receivedat", "visitedat", "ts"},
	typ:     []string{"type", "event", "eventtype", "eventname", "action", "activity", "signal", "signaltype"},
	email:   []string{"email", "recipient", "emailaddress", "mail", "useremail", "contactemail"},
	title:   []string{"title", "jobtitle", "position"},
	contact: []string{"contactid", "userid", "personid", "leadid", "visitorid"},
	domain:  []string{"domain", "companydomain", "website", "accountdomain", "companywebsite", "url"},
	account: []string{"accountid", "account", "companyid", "groupid", "organizationid", "orgid"},
}

// suggest writes a mapping to start from, by the names and the shape of the values.
func suggest(records []codec.Record) string {
	for i := range records {
		each, row := rows(records[i].Value)
		if row == nil {
			continue
		}
		members := map[string]member{}
		flatten(members, "row", row, 0)
		return write(each, members)
	}
	return ""
}

// rows finds what a row is: the value itself, or what a list in it holds.
func rows(value []byte) (each string, row map[string]any) {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return "", nil
	}
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			row, _ = v[0].(map[string]any)
		}
		return "message", row
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			list, _ := v[name].([]any)
			if len(list) == 0 || len(v) > 5 {
				continue
			}
			if row, ok := list[0].(map[string]any); ok && len(row) > 1 {
				return "message" + access(name), row
			}
		}
		return "", v
	}
	return "", nil
}

// member is a value of a row, and its own name.
type member struct {
	name  string
	value any
}

// flatten lists members by the expression that reads them, those of objects too.
func flatten(to map[string]member, path string, from map[string]any, depth int) {
	for name, value := range from {
		at := path + access(name)
		if strings.HasSuffix(path, "?") && at[len(path)] == '[' {
			at = path + "." + access(name)
		}
		if inner, ok := value.(map[string]any); ok && depth < 2 {
			flatten(to, at+"?", inner, depth+1)
			continue
		}
		to[at] = member{name, value}
	}
}

// access reads a member in an expression.
func access(name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) && (name[0] < '0' || name[0] > '9')
	if plain {
		return "." + name
	}
	return fmt.Sprintf("[%q]", name)
}

// find is the member whose name is the best guess; the shortest of equals.
func find(members map[string]member, guesses []string) string {
	paths := slices.SortedFunc(maps.Keys(members), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	for _, g := range guesses {
		for _, path := range paths {
			if strings.ReplaceAll(strings.ToLower(members[path].name), "_", "") == g {
				return path
			}
		}
	}
	return ""
}

func write(each string, members map[string]member) string {
	var b strings.Builder
	b.WriteString("# Guessed from the names and the shape of one record: check each line, then set type and id.\n")
	if each != "" {
		fmt.Fprintf(&b, "each: %s\n", quoted(each))
	}
	at := find(members, guess.time)
	when, unit, note := clock(at, members[at].value)
	if unit != "" {
		fmt.Fprintf(&b, "time_unit: %s  # by the size of the number\n", unit)
	}
	b.WriteString("events:\n  - ")
	if id := find(members, guess.id); id != "" {
		fmt.Fprintf(&b, "id: %s\n", quoted(id))
	} else {
		fmt.Fprintf(&b, "id: %s  # no member looks like an id: name those that tell a row from all others\n", quoted("hash("+strings.Join(firstOf(members, 3), ", ")+")"))
	}
	fmt.Fprintf(&b, "    source: %s\n", quoted(`"my-source"`))
	if typ := find(members, guess.typ); typ != "" {
		fmt.Fprintf(&b, "    type: %s\n", quoted(`"engagement." + snake(string(`+typ+`))`))
	} else {
		fmt.Fprintf(&b, "    type: %s\n", quoted(`"intent.topic_research"`))
	}
	fmt.Fprintf(&b, "    time: %s%s\n", quoted(when), note)
	account, domain := find(members, guess.account), find(members, guess.domain)
	email, contact, title := find(members, guess.email), find(members, guess.contact), find(members, guess.title)
	switch {
	case domain != "":
		fmt.Fprintf(&b, "    domain: %s\n", quoted("host("+domain+")"))
	case account != "":
		fmt.Fprintf(&b, "    subject: %s\n", quoted(account))
	case email == "":
		b.WriteString("    subject: row.account  # no member looks like an account, a domain or an e-mail address\n")
	}
	var person []string
	for _, p := range [][2]string{{"id", contact}, {"email", email}, {"title", title}} {
		if p[1] != "" {
			person = append(person, p[0]+": "+quoted(p[1]))
		}
	}
	if person != nil {
		fmt.Fprintf(&b, "    contact: {%s}\n", strings.Join(person, ", "))
	}
	var rest []string
	for _, path := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains([]string{email, contact, title, at, account, domain}, path) && len(rest) < 20 {
			rest = append(rest, fmt.Sprintf("%q: %s", members[path].name, quoted(path)))
		}
	}
	if rest != nil {
		fmt.Fprintf(&b, "    properties: {%s}\n", strings.Join(rest, ", "))
	}
	return b.String()
}

// clock says how to read a time such as the sample's.
func clock(path string, value any) (expression, unit, note string) {
	if path == "" {
		return "arrived", "ms", "  # no member looks like a time: this is when the record was written"
	}
	switch v := value.(type) {
	case float64:
		switch {
		case v > 1e14:
			return path, "us", ""
		case v > 1e11:
			return path, "ms", ""
		}
		return path, "s", ""
	case string:
		if _, ok := codec.ParseTime(v); !ok && len(v) == len("2026-11-02") {
			return "day(" + path + ")", "", "  # a date alone counts from its first instant in UTC"
		}
	}
	return path, "", ""
}

func firstOf(members map[string]member, n int) []string {
	paths := slices.Sorted(maps.Keys(members))
	return paths[:min(n, len(paths))]
}

// quoted is an expression as YAML.
func quoted(expression string) string {
	if strings.ContainsAny(expression, `"#:{}[],'?`) {
		return "'" + strings.ReplaceAll(expression, "'", "''") + "'"
	}
	return expression
}
