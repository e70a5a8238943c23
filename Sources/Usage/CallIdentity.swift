public import Wire

/// One model call across all sources: its provider's response id.
///
/// The same call may be told by an application's own event, by a span of each instrumentation that
/// saw it, and by a gateway. Spans and gateways ("observed" events) give the provider's id, so two
/// of them with one id are one call. An application may use `request` for something of its own that
/// spans several calls; its events are therefore repeats of observed ones only, never of each
/// other.
public enum CallIdentity {
    /// Ids as long as this are unique by themselves. A gateway and the client in front of it name
    /// different providers for one call; shorter ids count per provider.
    public static let selfEvidentBytes = 12

    private static let domain: UInt64 = 0x6361_6c6c_2d69_6421

    /// Tells an application's mention of an id from an observed one.
    public static let mention: UInt128 = 0x5bd1_e995_9d1b_54a3_c2b2_ae3d_27d4_eb4f

    /// 0: the id does not name a call.
    public static func key(
        request: Span<UInt8>, provider: Span<UInt8>, hash: SeededHash
    ) -> UInt128 {
        guard !request.isEmpty, !isFromOllama(request) else { return 0 }
        guard request.count < selfEvidentBytes else { return hash.wide(request, domain: domain) }
        let name = Array(ProviderName.canonical(String(copying: provider)).utf8)
        return hash.wide(request, domain: domain ^ hash.narrow(name.span))
    }

    /// Ollama numbers its answers at random from 0 to 998: `chatcmpl-123`.
    /// https://github.com/ollama/ollama/blob/main/middleware/openai.go
    private static func isFromOllama(_ request: Span<UInt8>) -> Bool {
        let prefix: StaticString = "chatcmpl-"
        let length = prefix.utf8CodeUnitCount
        guard request.count > length, request.count <= length + 3 else { return false }
        for index in length..<request.count where request[index] &- UInt8(ascii: "0") > 9 {
            return false
        }
        return request.hasPrefix(prefix)
    }
}
