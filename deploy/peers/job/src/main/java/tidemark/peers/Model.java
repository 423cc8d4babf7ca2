package tidemark.peers;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/** The bench's model (pkg/bench/model.yaml) as constants. */
final class Model {
    static final double DAY = 86_400_000.0;
    static final int SIGNALS = 8;
    static final int ROLES = 3;

    // Signals, those of the intent group first.
    static final int INTENT = 3;
    static final double[] POINTS = {15, 20, 10, 30, 25, 20, 5, 8};
    static final double[] HALF_LIFE = {14 * DAY, 10 * DAY, 21 * DAY, 7 * DAY, 14 * DAY, 14 * DAY, 5 * DAY, 5 * DAY};
    static final double[] LIMIT = {2, 2, 2, 1.5, 1.5, 1.5, 2, 3};
    static final double INTENT_CAP = 40;
    static final double ENGAGEMENT_CAP = 60;
    static final double ROLE_POINTS = 5;
    static final double ROLE_CAP = 15;
    static final long WINDOW = (long) (30 * DAY);

    // Tiers, worst first.
    static final String[] TIER = {"C", "B", "A"};
    static final double[] UP = {Double.NEGATIVE_INFINITY, 60, 85};
    static final double[] DOWN = {Double.NEGATIVE_INFINITY, 55, 80};

    private static final Map<String, Integer> SIGNAL = Map.of(
        "intent.topic_research", 0, "intent.competitor_search", 1, "intent.analyst_download", 2,
        "engagement.page_view", 3, "engagement.webinar_attended", 4, "engagement.case_study_download", 5,
        "engagement.email_open", 6, "engagement.email_click", 7);
    private static final Map<String, Double> SENIORITY = Map.of(
        "c_level", 2.0, "vp", 1.5, "director", 1.2, "manager", 1.0, "ic", 0.6, "intern", 0.2);
    private static final Pattern[] ROLE = {
        Pattern.compile("\\b(cfo|finance|procurement)\\b"),
        Pattern.compile("\\b(cto|engineer|architect|developer)\\b"),
        Pattern.compile("\\b(sales|revenue|marketing)\\b"),
    };
    private static final int PAGE = 3;
    private static final Map<String, Integer> ROLE_OF = new ConcurrentHashMap<>();

    private Model() { }

    /** The signal that an event counts for, or -1. */
    static int signal(Event e) {
        int s = SIGNAL.getOrDefault(e.type, -1);
        return s == PAGE && !e.data.properties.path.startsWith("/pricing") ? -1 : s;
    }

    static double multiplier(Event e) {
        return SENIORITY.getOrDefault(e.data.contact.seniority, 1.0);
    }

    /** The role of the event's contact, or -1; titles repeat, so they are matched once. */
    static int role(Event e) {
        return ROLE_OF.computeIfAbsent(e.data.contact.title, title -> {
            String text = title.toLowerCase(Locale.ROOT);
            for (int i = 0; i < ROLE.length; i++) {
                if (ROLE[i].matcher(text).find()) return i;
            }
            return -1;
        });
    }
}
