package profilecsv

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tidemark/streams/codec"
)

// Event is a profile as a message.
type Event struct {
	Account string // the key
	Value   []byte // a CloudEvent in structured mode
	Line    int
}

// profile is an account.profile as JSON.
type profile struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Time        string `json:"time"`
	Subject     string `json:"subject"`
	Data        data   `json:"data"`
}

type data struct {
	Attributes map[string]any `json:"attributes"`
	Domains    []string       `json:"domains,omitempty"`
	Parent     string         `json:"parent,omitempty"`
}

// Events reads the file again and calls take with each profile, as of the given
// instant and from the given source. It stops at the first error.
func (f *File) Events(in io.Reader, source string, at time.Time, take func(Event) error) error {
	check := codec.New(codec.Rules{})
	var failed error
	err := f.each(in, func(r *csv.Reader, cells []string) {
		if failed != nil {
			return
		}
		line, _ := r.FieldPos(0)
		e, err := f.event(cells, source, at)
		if err == nil {
			if _, bad := check.DecodeLine(e.Value, at.UnixMilli()); bad != nil {
				err = errors.New(bad.Message)
			}
		}
		if err != nil {
			failed = fmt.Errorf("%s:%d: %w", f.name, line, err)
			return
		}
		e.Line = line
		failed = take(e)
	})
	if failed != nil {
		return failed
	}
	return err
}

func (f *File) event(cells []string, source string, at time.Time) (Event, error) {
	if len(cells) != len(f.columns) {
		return Event{}, errors.New("the file has changed since it was checked")
	}
	p := profile{
		SpecVersion: "1.0", Source: source, Type: "account.profile", Time: codec.FormatTime(at.UnixMilli()),
		Data: data{Attributes: map[string]any{}},
	}
	for i := range cells {
		cell, c := strings.TrimSpace(cells[i]), &f.columns[i]
		switch {
		case cell == "":
		case i == f.account:
			p.Subject = strings.ToLower(cell)
		case c.name == "domain" || c.name == "domains":
			p.Data.Domains = append(p.Data.Domains, domainsOf(cell)...)
		case c.name == "parent":
			p.Data.Parent = cell
		default:
			p.Data.Attributes[c.name] = c.value(cell)
		}
	}
	value, err := encode(&p)
	if err != nil {
		return Event{}, err
	}
	sum := sha256.Sum256(value)
	p.ID = hex.EncodeToString(sum[:16])
	value, err = encode(&p)
	return Event{Account: p.Subject, Value: value}, err
}

func encode(p *profile) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(p)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// value is a cell as the column's type has it.
func (c *column) value(cell string) any {
	switch c.kind {
	case typeNumber:
		if n, err := strconv.ParseFloat(cell, 64); err == nil {
			return n
		}
	case typeBoolean:
		return strings.EqualFold(cell, "true")
	case typeList:
		out := []string{}
		for item := range strings.SplitSeq(cell, ";") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
		return out
	}
	return cell
}

func isBoolean(cell string) bool {
	return strings.EqualFold(cell, "true") || strings.EqualFold(cell, "false")
}

var numbers = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// isNumber lets through what is the same text again once it was a float64, but for
// zeros at the end of a fraction. Identifiers with leading zeros or many digits
// stay text.
func isNumber(cell string) bool {
	digits := 0
	for i := range len(cell) {
		if cell[i] >= '0' && cell[i] <= '9' {
			digits++
		}
	}
	return digits <= 15 && numbers.MatchString(cell)
}

// domainsOf cuts a cell at semicolons and blanks.
func domainsOf(cell string) []string {
	return strings.FieldsFunc(cell, func(r rune) bool { return r == ';' || r == ' ' || r == '\t' || r == '\n' })
}
