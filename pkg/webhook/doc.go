// Package webhook delivers events to HTTP endpoints by the Standard Webhooks
// specification: signed, with an id that stays, and tried again until they are through.
//
// Events come from a topic by the follow kit. Inbox is the subscriber: it puts each new
// event into the queue of every endpoint whose filter holds, in the step that moves the
// position, so an event is queued exactly once. Dispatcher delivers from the queues, each
// endpoint by itself: at least once, with the same webhook-id each time, and those of one key
// (an account) in order. A receiver that drops ids it knows has each event once.
//
// An endpoint that answers 410, fails for a day, or lets its queue fill up is disabled and
// gets no more until an operator enables it; what it missed is replayed from the topic.
// Nothing here waits for scoring and scoring waits for nothing here. The API is internal to
// Tidemark and may change.
package webhook
