/// How OpenTelemetry becomes events.
public struct OTLPSettings: Equatable, Sendable {
    /// The attributes that give each dimension, the first that is there counts; those of the span
    /// come before those of its resource.
    public struct Attributes: Equatable, Sendable {
        public var tenant = [
            "costgauge.tenant", "tenant.id", "tenant", "tenant_id", "tenant.name",
            "enduser.tenant", "organization.id", "customer.id",
            "traceloop.association.properties.tenant_id",
            "traceloop.association.properties.tenant", "ai.telemetry.metadata.tenant",
            "ai.telemetry.metadata.tenantId", "langfuse.trace.metadata.tenant",
            "langsmith.metadata.tenant", "langsmith.metadata.tenant_id",
            "metadata.user_api_key_team_alias", "metadata.user_api_key_team_id",
        ]
        public var user = [
            "costgauge.user", "enduser.id", "user.id", "enduser.pseudo.id", "user_id", "user",
            "traceloop.association.properties.user_id", "ai.telemetry.metadata.userId",
            "langfuse.user.id", "langsmith.metadata.user_id", "gen_ai.request.user", "llm.user",
            "metadata.user_api_key_end_user_id", "metadata.user_api_key_user_id", "user.email",
            "user.account_uuid",
        ]
        public var feature = [
            "costgauge.feature", "feature", "feature.name", "feature.id",
            "traceloop.association.properties.feature", "traceloop.workflow.name",
            "ai.telemetry.functionId", "ai.telemetry.metadata.feature",
            "langfuse.trace.metadata.feature", "langsmith.metadata.feature", "service.name",
        ]
        public var agent = [
            "costgauge.agent", "gen_ai.agent.name", "agent.name", "agent",
            "langsmith.metadata.agent",
        ]
        public var task = ["costgauge.task", "task.id", "task", "langsmith.metadata.task"]

        public init() {}
    }

    /// Where usage comes from. Spans are always read.
    public struct Sources: Equatable, Sendable {
        /// Token and cost counters of producers that send no spans.
        public var metrics = true
        /// Log records that carry the usage of a call; off, because they repeat spans or metrics.
        public var logs = false

        public init() {}
    }

    public var attributes = Attributes()
    public var sources = Sources()
    /// An amount on a span is the cost of its call; otherwise the price list decides.
    public var trustsReportedCost = false

    public init() {}

    /// More attributes than this for one dimension are a mistake.
    public static let attributesMax = 64
}
