package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"tidemark/pkg/config"
	"tidemark/pkg/offline"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

type scoreCmd struct {
	Model       string `help:"Model file. Without it, the reference model." type:"path"`
	Events      string `required:"" help:"Events as JSON lines, in order of arrival; - for standard input."`
	Profiles    string `help:"Profiles as JSON lines, known beforehand." type:"path"`
	Until       string `required:"" help:"Instant to stop at, RFC 3339."`
	Changes     string `help:"Write tier changes here, as JSON lines ordered by time; - for standard output."`
	Scores      string `help:"Write each account's standing at --until here; - for standard output."`
	DeadLetters string `help:"Write lines that can't be used here, with the reason." type:"path"`
	ForgetAfter string `default:"never" help:"Forget accounts that are idle for longer, as events.forget_after of serve does, such as 400d."`
	Namespace   string `default:"tm" help:"Namespace in the source of tier changes."`
}

// maxLine is the longest line that is read. Longer ones are an error: they can't
// be a single event.
const maxLine = 64 << 20

// Run scores a history from files.
func (c *scoreCmd) Run(s *streams) error {
	until, err := parseInstant("--until", c.Until)
	if err != nil {
		return err
	}
	m, _, err := openModel(c.Model)
	if err != nil {
		return err
	}
	forget, err := config.ParseLifetime(c.ForgetAfter)
	if err != nil {
		return usageError{fmt.Errorf("--forget-after: %w", err)}
	}
	m.ForgetAfter(time.Duration(forget).Milliseconds())
	defer collectAt(s.environ, batchGC)()
	j := scoreJob{streams: s, cmd: c, decoder: codec.New(codec.Rules{Reads: m.Reads})}
	defer j.close()
	spool, err := j.temporary()
	if err != nil {
		return err
	}
	j.runner = offline.New(m, until.UnixMilli(), codec.ChangeEncoder{Namespace: c.Namespace}, spool)
	return j.run()
}

// scoreJob is one run of `score` with the files it has open.
type scoreJob struct {
	*streams
	cmd     *scoreCmd
	decoder *codec.Decoder
	runner  *offline.Runner
	files   []*os.File
	dead    int
	letters io.Writer
	// closeLetters writes out what is left of the dead letters.
	closeLetters func() error
}

func (j *scoreJob) close() {
	for _, f := range j.files {
		f.Close() //nolint:errcheck // inputs and the spool: nothing is kept in them
	}
}

// temporary is a file that is gone once it is closed.
func (j *scoreJob) temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "tidemark-score-")
	if err != nil {
		return nil, fmt.Errorf("make a spool file: %w", err)
	}
	j.files = append(j.files, f)
	return f, os.Remove(f.Name())
}

func (j *scoreJob) run() error {
	if err := j.openLetters(); err != nil {
		return err
	}
	if err := j.feed(j.runner.Profile, j.runner.Take, j.runner.Flush); err != nil {
		return err
	}
	return j.finish()
}

// feed reads the profiles and then the events. What was taken is good until flush returns.
func (j *scoreJob) feed(profile func(*scoring.Event), take func(offline.Input) error, flush func() error) error {
	if j.cmd.Profiles != "" {
		err := j.lines(j.cmd.Profiles, func(in offline.Input) error {
			e := in.Event
			if e.Kind != scoring.KindProfile && e.Kind != scoring.KindTombstone {
				return usageError{fmt.Errorf("--profiles: an event of type %q: only account.profile belongs there", e.Type)}
			}
			profile(e)
			return nil
		}, flush)
		if err != nil {
			return err
		}
	}
	return j.lines(j.cmd.Events, take, flush)
}

func (j *scoreJob) openLetters() error {
	var err error
	j.letters, j.closeLetters, err = j.create("--dead-letters", j.cmd.DeadLetters)
	return err
}

// lines decodes a file line by line. A line that can't be used is reported and
// left out.
func (j *scoreJob) lines(path string, take func(offline.Input) error, flush func() error) error {
	in, size, err := j.open(path)
	if err != nil {
		return err
	}
	bar := j.progress(path, size)
	defer bar.Finish() //nolint:errcheck // a progress bar that can't be drawn is no failure
	reader := offline.Lines[*codec.Lines, decoded]{
		In: in, Limit: maxLine, Memory: func() *codec.Lines { return new(codec.Lines) }, Value: j.decode,
		Take: func(lines []offline.Line[decoded]) error {
			size := 0
			for i := range lines {
				size += len(lines[i].Text) + 1
				if err := j.take(path, &lines[i], take); err != nil {
					return err
				}
			}
			bar.Add(size) //nolint:errcheck // as above
			if err := flush(); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		},
	}
	err = reader.Read(j.ctx)
	if errors.Is(err, offline.ErrLineTooLong) {
		return usageError{fmt.Errorf("%s: a line is longer than %d MiB: one JSON event a line is expected", path, maxLine>>20)}
	}
	return err
}

// decoded is what became of a line.
type decoded struct {
	input offline.Input
	bad   *codec.Bad
}

func (j *scoreJob) decode(memory *codec.Lines, line []byte) decoded {
	event, bad := j.decoder.DecodeInto(memory, line, 0)
	if bad != nil {
		return decoded{bad: bad}
	}
	return decoded{input: offline.NewInput(event)}
}

func (j *scoreJob) take(path string, line *offline.Line[decoded], take func(offline.Input) error) error {
	if bad := line.Value.bad; bad != nil {
		return j.deadLetter(path, line.Number, line.Text, bad)
	}
	err := take(line.Value.input)
	if err == nil {
		return nil
	}
	var refused *offline.Refusal
	if errors.As(err, &refused) {
		return j.deadLetter(path, line.Number, line.Text, &codec.Bad{Reason: codec.BadAttribute, Message: refused.Why})
	}
	return fmt.Errorf("%s:%d: %w", path, line.Number, err)
}

func (j *scoreJob) open(path string) (io.Reader, int64, error) {
	if path == "-" {
		return j.in, -1, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, usageError{fmt.Errorf("open input: %w", err)}
	}
	j.files = append(j.files, f)
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("open input: %w", err)
	}
	return f, info.Size(), nil
}

// progress is a bar on a terminal and nothing elsewhere.
func (j *scoreJob) progress(path string, size int64) *progressbar.ProgressBar {
	f, ok := j.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultBytesSilent(size)
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(f), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription(path), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}

// shownLetters is how many bad lines are told one by one.
const shownLetters = 20

func (j *scoreJob) deadLetter(path string, n int, line []byte, bad *codec.Bad) error {
	j.dead++
	if j.dead <= shownLetters {
		fmt.Fprintf(j.err, "%s:%d: %s: %s\n", path, n, bad.Reason, bad.Message)
	}
	return json.NewEncoder(j.letters).Encode(map[string]any{
		"file": path, "line": n, "reason": bad.Reason, "message": bad.Message, "value": string(line),
	})
}

func (j *scoreJob) finish() error {
	changes, closeChanges, err := j.create("--changes", j.cmd.Changes)
	if err != nil {
		return err
	}
	scores, closeScores, err := j.create("--scores", j.cmd.Scores)
	if err != nil {
		return err
	}
	var each func(offline.Score) error
	if j.cmd.Scores != "" {
		encoder := json.NewEncoder(scores)
		encoder.SetEscapeHTML(false)
		each = func(s offline.Score) error { return encoder.Encode(scoreLine{s, codec.FormatTime(s.Clock)}) }
	}
	tally, err := j.runner.Finish(func(line []byte) error {
		_, err := changes.Write(append(line, '\n'))
		return err
	}, each)
	if err := errors.Join(err, closeChanges(), closeScores(), j.closeLetters()); err != nil {
		return err
	}
	j.summary(tally)
	return nil
}

type scoreLine struct {
	offline.Score
	Clock string `json:"clock"`
}

// create opens an output: - for standard output, "" for nowhere.
func (j *scoreJob) create(flag, path string) (io.Writer, func() error, error) {
	switch path {
	case "":
		return io.Discard, func() error { return nil }, nil
	case "-":
		w := bufio.NewWriter(j.out)
		return w, w.Flush, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return w, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

func (j *scoreJob) summary(t offline.Tally) {
	fmt.Fprintf(j.err, "counted %d, duplicate %d, unmatched %d, outdated profiles %d, outcomes %d, after --until %d, unusable %d; %d tier changes\n",
		t.Counted, t.Duplicate, t.Unmatched, t.Outdated, t.Unscored, t.After, j.dead, t.Changes)
}
