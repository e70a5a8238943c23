public import HTTPServer
public import OTLP
internal import Usage

extension Configuration {
    public struct OTLPReceiverSection: Equatable, Sendable {
        /// A listener for OTLP alone; nil: none. The paths are on the main one too.
        public var listen: ListenAddress?
        public var settings = OTLPSettings()
    }

    static func readForeignSizes(_ sizes: inout ConfigurationMap, _ result: inout Configuration) {
        result.web.otlpBytesMax = sizes.bytes(
            "otlp", default: result.web.otlpBytesMax, in: 1024...(256 << 20))
        result.web.litellmBytesMax = sizes.bytes(
            "litellm", default: result.web.litellmBytesMax, in: 1024...(256 << 20))
    }

    static func readAttributes(
        _ attribution: inout ConfigurationMap, _ result: inout Configuration
    ) {
        var map = attribution.map("attributes")
        func read(
            _ name: String, _ field: WritableKeyPath<OTLPSettings.Attributes, [String]>
        ) {
            result.otlpReceiver.settings.attributes[keyPath: field] = map.list(
                name, default: result.otlpReceiver.settings.attributes[keyPath: field],
                countMax: OTLPSettings.attributesMax,
                expected: "the name of an attribute, of 1 to \(Limits.textBytes) bytes"
            ) { text in
                (1...Limits.textBytes).contains(text.utf8.count) ? text : nil
            }
        }
        read("tenant", \.tenant)
        read("user", \.user)
        read("feature", \.feature)
        read("agent", \.agent)
        read("task", \.task)
        map.finish()
        attribution.finish()
    }

    static func readOTLPReceiver(
        _ map: inout ConfigurationMap, _ result: inout Configuration
    ) {
        var section = map.map("otlp_receiver")
        result.otlpReceiver.listen = section.scalar(
            "listen", default: nil, expected: "an address such as 127.0.0.1:4318"
        ) { text -> ListenAddress?? in
            text.isEmpty ? .some(nil) : ListenAddress(text).map { .some($0) }
        }
        if let address = result.otlpReceiver.listen {
            if let refusal = refusal(of: address, result.access) {
                section.fault("listen", refusal)
            }
            if address.port != 0,
                address == result.web.listen || address == result.web.metricsListen
            {
                section.fault("listen", "\(address) is another listener's; name another address")
            }
        }
        result.otlpReceiver.settings.sources.metrics = section.boolean("metrics", default: true)
        result.otlpReceiver.settings.sources.logs = section.boolean("logs", default: false)
        result.otlpReceiver.settings.trustsReportedCost = section.boolean(
            "reported_cost", default: false)
        section.finish()
    }
}
