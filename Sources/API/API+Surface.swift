extension API {
    /// What a listener answers.
    public enum Surface: Sendable {
        case everything
        /// Metrics and health, to whoever asks.
        case open
        /// OTLP and health.
        case otlp
    }

    /// Bytes of a body, as sent and inflated.
    public struct BodyLimits: Sendable {
        public var events: Int
        public var otlp: Int
        public var litellm: Int

        public init(events: Int, otlp: Int, litellm: Int) {
            self.events = events
            self.otlp = otlp
            self.litellm = litellm
        }
    }
}
