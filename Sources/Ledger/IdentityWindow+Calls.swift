internal import Usage

// An event is known by its id and by the response id of its call.
extension IdentityWindow {
    /// The event has been counted, under its own id or as the same call from another source.
    func repeats(_ event: CostEvent) -> Bool {
        if !event.id.isEmpty, contains(event.identity) { return true }
        guard event.call != 0 else { return false }
        if contains(event.call) { return true }
        return event.isObserved && contains(event.call ^ CallIdentity.mention)
    }

    /// Answers how many of its keys were new.
    mutating func insert(_ event: CostEvent) -> Int {
        var count = 0
        if !event.id.isEmpty, insert(event.identity) { count += 1 }
        if event.call != 0 {
            let key = event.isObserved ? event.call : event.call ^ CallIdentity.mention
            if insert(key) { count += 1 }
        }
        return count
    }
}
