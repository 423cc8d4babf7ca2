package tidemark.peers;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.function.Consumer;

/**
 * An account's state and the arithmetic of the job: decayed intensities, capped groups, active roles, tiers with
 * hysteresis. What time alone does to an account is settled before its next event, so crossings have their exact
 * instants however late a timer runs.
 */
public final class Account {
    public static final int BYTES = 8 * Model.SIGNALS + 8 * Model.ROLES + 8 + 8 + 1 + 1 + 8 * Account.IDS;
    private static final int IDS = 8;
    private static final double LN2 = Math.log(2);
    /** A timer earlier than this after the present is not worth its cost. */
    private static final long LEAST_WAIT = 1000;

    private final double[] x = new double[Model.SIGNALS];
    private final long[] roleSeen = new long[Model.ROLES];
    private final long[] ids = new long[IDS];
    private long t;
    private long seq;
    private byte tier;
    private byte idAt;

    public static Account read(ByteBuffer b) {
        Account a = new Account();
        for (int i = 0; i < a.x.length; i++) a.x[i] = b.getDouble();
        for (int i = 0; i < a.roleSeen.length; i++) a.roleSeen[i] = b.getLong();
        a.t = b.getLong();
        a.seq = b.getLong();
        a.tier = b.get();
        a.idAt = b.get();
        for (int i = 0; i < IDS; i++) a.ids[i] = b.getLong();
        return a;
    }

    public void write(ByteBuffer b) {
        for (double v : x) b.putDouble(v);
        for (long v : roleSeen) b.putLong(v);
        b.putLong(t).putLong(seq).put(tier).put(idAt);
        for (long v : ids) b.putLong(v);
    }

    public long seq() {
        return seq;
    }

    /** Counts one event; false when it changed nothing. */
    public boolean apply(Event e, Consumer<Change> out) {
        int signal = Model.signal(e);
        if (signal < 0 || !remember(e.id)) return false;
        if (t == 0) t = e.at;
        long now = Math.max(t, e.at);
        settle(e.subject, now, out);
        advance(now);
        x[signal] += Model.multiplier(e) * left(now - e.at, signal);
        int role = Model.role(e);
        if (role >= 0) roleSeen[role] = Math.max(roleSeen[role], e.at);
        double score = score(t);
        for (int to = Model.TIER.length - 1; to > tier; to--) {
            if (score >= Model.UP[to]) {
                move(e.subject, to, score, new Change.Cause("event", e.id), out);
                break;
            }
        }
        return true;
    }

    /** Emits the crossings that time alone brought about up to now. */
    public void settle(String account, long now, Consumer<Change> out) {
        while (tier > 0 && now > t && score(now) < Model.DOWN[tier]) {
            long above = t;
            long below = now;
            while (below - above > 1) {
                long middle = above + (below - above) / 2;
                if (score(middle) < Model.DOWN[tier]) below = middle; else above = middle;
            }
            advance(below);
            double score = score(t);
            int to = tier - 1;
            while (score < Model.UP[to]) to--;
            move(account, to, score, new Change.Cause("decay", null), out);
        }
    }

    /** An instant before which the account cannot fall, seen from one at or after its own time; 0: never. */
    public long nextCheck(long from) {
        if (tier == 0) return 0;
        long at = Math.max(from, t);
        double steepest = 0;
        for (int i = 0; i < x.length; i++) {
            double v = Math.min(x[i] * left(at - t, i), Model.LIMIT[i]);
            steepest += Model.POINTS[i] * v * LN2 / Model.HALF_LIFE[i];
        }
        double wait = steepest > 0 ? (score(at) - Model.DOWN[tier]) / steepest : Double.MAX_VALUE;
        for (long seen : roleSeen) {
            if (seen > 0 && seen + Model.WINDOW > at) wait = Math.min(wait, seen + Model.WINDOW - at);
        }
        return at + Math.max(LEAST_WAIT, (long) Math.min(wait, Model.WINDOW));
    }

    private double score(long at) {
        double intent = 0;
        double engagement = 0;
        for (int i = 0; i < x.length; i++) {
            if (x[i] == 0) continue;
            double points = Model.POINTS[i] * Math.min(at == t ? x[i] : x[i] * left(at - t, i), Model.LIMIT[i]);
            if (i < Model.INTENT) intent += points; else engagement += points;
        }
        double roles = 0;
        for (long seen : roleSeen) {
            if (seen > 0 && at - seen < Model.WINDOW) roles += Model.ROLE_POINTS;
        }
        double sum = Math.min(intent, Model.INTENT_CAP) + Math.min(engagement, Model.ENGAGEMENT_CAP) + Math.min(roles, Model.ROLE_CAP);
        return Math.min(sum, 100);
    }

    private static double left(long age, int signal) {
        return age == 0 ? 1 : Math.exp(-age * LN2 / Model.HALF_LIFE[signal]);
    }

    private void advance(long at) {
        if (at <= t) return;
        for (int i = 0; i < x.length; i++) {
            if (x[i] != 0) x[i] *= left(at - t, i);
        }
        t = at;
    }

    private void move(String account, int to, double score, Change.Cause cause, Consumer<Change> out) {
        seq++;
        out.accept(new Change(account + "/" + seq, Instant.ofEpochMilli(t).toString(), new Change.Data(
            account, seq, Model.TIER[tier], Model.TIER[to], to > tier ? "up" : "down", score, cause)));
        tier = (byte) to;
    }

    /** Notes an event's id among the last ones; false when it is there already. */
    private boolean remember(String id) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < id.length(); i++) hash = (hash ^ id.charAt(i)) * 0x100000001b3L;
        for (long known : ids) {
            if (known == hash) return false;
        }
        ids[idAt] = hash;
        idAt = (byte) ((idAt + 1) % IDS);
        return true;
    }
}
