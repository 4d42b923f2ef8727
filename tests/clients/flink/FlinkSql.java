import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Runs a file of SQL statements and then queries, and prints each query's changes as lines:
 * name, kind of change, and the fields, with tabs between them.
 *
 * FlinkSql FILE NAME=QUERY...
 */
public class FlinkSql {
    public static void main(String[] arguments) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        configuration.setString("parallelism.default", "1");
        TableEnvironment flink = TableEnvironment.create(
            EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        flink.getConfig().setLocalTimeZone(ZoneId.of("UTC"));
        for (String statement : Files.readString(Path.of(arguments[0])).split(";\\s*\n")) {
            if (!statement.isBlank()) {
                flink.executeSql(statement);
            }
        }
        for (int place = 1; place < arguments.length; place++) {
            String[] query = arguments[place].split("=", 2);
            try (CloseableIterator<Row> rows = flink.executeSql(query[1]).collect()) {
                while (rows.hasNext()) {
                    Row row = rows.next();
                    StringJoiner line = new StringJoiner("\t").add(query[0]).add(row.getKind().shortString());
                    for (int field = 0; field < row.getArity(); field++) {
                        line.add(text(row.getField(field)));
                    }
                    System.out.println(line);
                }
            } catch (Exception error) {
                Throwable cause = error;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                System.out.println(query[0] + "\terror\t" + String.valueOf(cause.getMessage()).replace('\n', ' '));
            }
        }
    }

    private static String text(Object value) {
        return value instanceof Map<?, ?> map ? new TreeMap<>(map).toString() : String.valueOf(value);
    }
}
