package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// change is what the bench reads of a tier change; the peers write these fields too.
type change struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	Data struct {
		Account   string `json:"account"`
		Direction string `json:"direction"`
		Cause     struct {
			Kind string `json:"kind"`
			ID   string `json:"id"`
		} `json:"cause"`
	} `json:"data"`
}

const (
	causeEvent = "event"
	causeDecay = "decay"
)

func parseChange(value []byte) (c change, err error) {
	if err = json.Unmarshal(value, &c); err != nil {
		return c, fmt.Errorf("tier change %.80q: %w", value, err)
	}
	return c, nil
}

// idOf is the id of an event that this package made: its second attribute.
func idOf(value []byte) []byte {
	const name = `"id":"`
	_, rest, _ := bytes.Cut(value, []byte(name))
	id, _, _ := bytes.Cut(rest, []byte{'"'})
	return id
}
