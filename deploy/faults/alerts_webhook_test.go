package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tidemark/streams/sink"
)

// alertsOfAWebhook has a receiver that fails until its queue is full.
func alertsOfAWebhook(t *testing.T, table *alertTable) {
	var well atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(receiver.Close)
	file := filepath.Join(t.TempDir(), "endpoints.yaml")
	done(t, os.WriteFile(file, fmt.Appendf(nil, "endpoints: [{name: crm, url: %q, unsigned: true, allow_private: true, max_queue: 40}]", receiver.URL), 0o600))
	v := watch(t, table, setup{env: []string{"TIDEMARK_WEBHOOKS_FILE=" + file}}, 1)
	v.serve(v.instance(0)...)
	v.scraped()
	cross := func(from, to int) {
		var messages []sink.Message
		for n := from; n < to; n++ {
			for i := range 2 {
				id := fmt.Sprintf("hook-%d-%d", n, i)
				messages = append(messages, sink.Message{Key: []byte(id), Value: event(id, "engagement.webinar", time.Now(), fmt.Sprintf("hook-%d.example", n), "{}")})
			}
		}
		v.publish(v.cfg.Kafka.Topics.Engagement, messages...)
	}
	// Each crosses up, and down again within seconds.
	cross(0, 13)
	v.fires("a webhook receiver that answers 503", "TidemarkWebhookQueueFills", "TidemarkWebhookFails")
	cross(100, 140)
	v.fires("its queue is full", "TidemarkWebhookDisabled")
	cross(200, 220)
	v.fires("events come while it is disabled", "TidemarkWebhookLost")
	well.Store(true)
	command := exec.CommandContext(t.Context(), v.program, "webhooks", "enable", "crm")
	command.Env = append(os.Environ(), v.env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.resolves("TidemarkWebhookDisabled", "TidemarkWebhookQueueFills", "TidemarkWebhookFails", "TidemarkWebhookLost")
}
