import java.io.FileWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** Writes what a sink is given as lines of JSON, with the names of the schemas. */
public class PrintSink extends SinkConnector {
    private Map<String, String> settings;

    public void start(Map<String, String> settings) {
        this.settings = settings;
    }

    public Class<? extends Task> taskClass() {
        return Print.class;
    }

    public List<Map<String, String>> taskConfigs(int most) {
        return List.of(settings);
    }

    public void stop() {}

    public ConfigDef config() {
        return new ConfigDef().define("file", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "");
    }

    public String version() {
        return "1";
    }

    public static class Print extends SinkTask {
        private final JsonConverter json = new JsonConverter();
        private FileWriter out;

        public void start(Map<String, String> settings) {
            json.configure(Map.of("schemas.enable", "false"), false);
            try {
                out = new FileWriter(settings.get("file"), StandardCharsets.UTF_8);
            } catch (IOException error) {
                throw new RuntimeException(error);
            }
        }

        public void put(Collection<SinkRecord> records) {
            try {
                for (SinkRecord record : records) {
                    out.write(line(record) + "\n");
                }
                out.flush();
            } catch (IOException error) {
                throw new RuntimeException(error);
            }
        }

        private String line(SinkRecord record) {
            Map<String, Object> types = new HashMap<>();
            Schema schema = record.valueSchema();
            if (schema != null && schema.type() == Schema.Type.STRUCT) {
                for (Field field : schema.fields()) {
                    types.put(field.name(), String.valueOf(field.schema().name()));
                }
            }
            Map<String, String> headers = new HashMap<>();
            for (Header header : record.headers()) {
                headers.put(header.key(), header.schema().type() + " " + header.value());
            }
            return "{\"key\":" + of(record.key()) + ",\"value\":" + text(schema, record.value())
                + ",\"types\":" + of(types) + ",\"headers\":" + of(headers) + "}";
        }

        private String of(Object value) {
            return text(null, value);
        }

        private String text(Schema schema, Object value) {
            byte[] bytes = json.fromConnectData("", schema, value);
            return bytes == null ? "null" : new String(bytes, StandardCharsets.UTF_8);
        }

        public void stop() {}

        public String version() {
            return "1";
        }
    }
}
