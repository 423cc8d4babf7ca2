package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/segmentio/kafka-go"
)

// kcat makes sure that the shell has a kcat. On a machine without one a stand-in
// does what the pages ask of it, so that no test needs it: a script that sends its
// arguments and its input here.
func (s *shell) kcat() {
	s.t.Helper()
	if _, err := exec.LookPath("kcat"); err == nil {
		return
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := standIn(r.Context(), r.URL.Query()["a"], r.Body, w); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	s.t.Cleanup(server.Close)
	script := `#!/usr/bin/env bash
set -eu
query=
for a in "$@"; do query="$query&a=$a"; done
case "$query" in *a=-P*) exec curl -fsS --data-binary @- "` + server.URL + `?$query" ;; esac
exec curl -fsS "` + server.URL + `?$query"
`
	dir := s.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kcat"), []byte(script), 0o700); err != nil { // a program
		s.t.Fatal(err)
	}
	s.prefix += "PATH=" + dir + ":$PATH\n"
}

// standIn does -P (each line is a message, -k its key) and -C (all that there is).
func standIn(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	options := map[string]string{}
	for len(args) > 0 {
		switch args[0] {
		case "-P", "-C", "-e", "-q":
			options[args[0]], args = "yes", args[1:]
		case "-b", "-t", "-k", "-o":
			if len(args) < 2 {
				return fmt.Errorf("%s: no value", args[0])
			}
			options[args[0]], args = args[1], args[2:]
		default:
			return fmt.Errorf("the stand-in for kcat does not know %q", args[0])
		}
	}
	if options["-P"] != "" {
		return produceLines(ctx, options, in)
	}
	return consumeAll(ctx, options, out)
}

func produceLines(ctx context.Context, options map[string]string, in io.Reader) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{Addr: kafka.TCP(options["-b"]), Topic: options["-t"], RequiredAcks: kafka.RequireAll, BatchTimeout: 1, Transport: transport}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var messages []kafka.Message
	for line := range bytes.Lines(text) {
		m := kafka.Message{Value: bytes.TrimSuffix(line, []byte("\n"))}
		if options["-k"] != "" {
			m.Key = []byte(options["-k"])
		}
		messages = append(messages, m)
	}
	return errors.Join(w.WriteMessages(ctx, messages...), w.Close())
}

func consumeAll(ctx context.Context, options map[string]string, out io.Writer) error {
	conn, err := kafka.DialContext(ctx, "tcp", options["-b"])
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // only read from
	partitions, err := conn.ReadPartitions(options["-t"])
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := consumePartition(ctx, options, p.ID, out); err != nil {
			return err
		}
	}
	return nil
}

func consumePartition(ctx context.Context, options map[string]string, partition int, out io.Writer) error {
	leader, err := kafka.DialLeader(ctx, "tcp", options["-b"], options["-t"], partition)
	if err != nil {
		return err
	}
	defer leader.Close() //nolint:errcheck // only read from
	first, end, err := leader.ReadOffsets()
	if err != nil || first == end {
		return err
	}
	if _, err := leader.Seek(first, kafka.SeekAbsolute); err != nil {
		return err
	}
	var lines strings.Builder
	for offset := first; offset < end; offset++ {
		m, err := leader.ReadMessage(1 << 20)
		if err != nil {
			return err
		}
		lines.Write(m.Value)
		lines.WriteByte('\n')
	}
	_, err = io.WriteString(out, lines.String())
	return err
}
