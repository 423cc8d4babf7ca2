package tidemark.peers;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/** What the bench tells a peer by its environment, and what the peer tells the bench by its output. */
public final class Run {
    public static final String BROKERS = setting("BROKERS");
    public static final String[] TOPICS = setting("TOPICS").split(",");
    public static final String CHANGES = setting("CHANGES");
    public static final String GROUP = setting("GROUP");
    public static final String STATE_DIR = setting("STATE_DIR");
    /** Events come as they happen; otherwise a backlog is replayed. */
    public static final boolean LIVE = "live".equals(setting("MODE"));
    private static final long EXPECTED = Long.parseLong(setting("EVENTS"));

    private static final AtomicLong SEEN = new AtomicLong();
    private static final AtomicBoolean READY = new AtomicBoolean();

    private Run() { }

    public static String setting(String name) {
        String value = System.getenv("PEER_" + name);
        if (value == null) throw new IllegalStateException("PEER_" + name + " is not set: tidemark bench starts this program");
        return value;
    }

    /** Says once that events are being waited for. */
    public static void ready() {
        if (READY.compareAndSet(false, true)) System.out.println("READY");
    }

    /** Counts an event that is done, and says when the first and the last were. */
    public static void count() {
        long n = SEEN.incrementAndGet();
        if (n == 1) System.out.println("FIRST");
        if (n == EXPECTED) System.out.println("LAST");
    }
}
