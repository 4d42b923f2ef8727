import java.util.Map;
import java.util.concurrent.Callable;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.UnauthorizedRequestException;

/** All calls of the client library that AKHQ uses: URL, URL of the upstream, user, password. */
public class Operate {
    public static void main(String[] args) throws Exception {
        String url = args[0];
        KafkaConnectClient client = new KafkaConnectClient(new Configuration(url).useBasicAuth(args[2], args[3]));
        Map<String, String> config = Map.of(
            "connector.class", "contractor", "upstream.url", args[1],
            "auth.external.token", "${env:SOURCELAB_TOKEN}", "name", "field");
        is("a caller without a password is refused", () -> {
            try {
                new KafkaConnectClient(new Configuration(url)).getConnectors();
                return false;
            } catch (UnauthorizedRequestException expected) {
                return true;
            }
        });
        is("version", () -> client.getConnectServerVersion().getVersion().equals("4.1.0"));
        is("plugins", () -> client.getConnectorPlugins().stream().anyMatch(plugin -> plugin.getClassName().equals("contractor")));
        is("validation", () -> client.validateConnectorPluginConfig(
            new ConnectorPluginConfigDefinition("contractor", config)).getErrorCount() == 0);
        is("creation", () -> client.addConnector(new NewConnectorDefinition("field", config)).getName().equals("field"));
        is("list", () -> client.getConnectors().contains("field"));
        is("definition", () -> client.getConnector("field").getConfig().get("connector.class").equals("contractor"));
        is("configuration", () -> client.getConnectorConfig("field").equals(config));
        becomes("status", () -> client.getConnectorStatus("field").getConnector().get("state").equals("RUNNING"));
        is("tasks", () -> client.getConnectorTasks("field").size() == 1);
        becomes("status of the task", () -> client.getConnectorTaskStatus("field", 0).getState().equals("RUNNING"));
        is("all with status", () -> client.getConnectorsWithExpandedStatus().getConnectorNames().contains("field"));
        is("all with definitions", () -> client.getConnectorsWithExpandedInfo().getConnectorNames().contains("field"));
        is("all with both", () -> client.getConnectorsWithAllExpandedMetadata().getConnectorNames().contains("field"));
        is("pause", () -> client.pauseConnector("field"));
        becomes("paused", () -> client.getConnectorStatus("field").getConnector().get("state").equals("PAUSED"));
        is("resumption", () -> client.resumeConnector("field"));
        is("restart", () -> client.restartConnector("field"));
        is("restart of the task", () -> client.restartConnectorTask("field", 0));
        is("a new configuration", () -> client.updateConnectorConfig("field", config).getName().equals("field"));
        is("deletion", () -> client.deleteConnector("field"));
        is("an empty list", () -> client.getConnectors().isEmpty());
    }

    private static void is(String what, Callable<Boolean> met) throws Exception {
        if (!met.call()) {
            throw new AssertionError(what);
        }
    }

    private static void becomes(String what, Callable<Boolean> met) throws Exception {
        for (int tries = 0; tries < 300; tries++) {
            if (met.call()) {
                return;
            }
            Thread.sleep(200);
        }
        throw new AssertionError(what);
    }
}
