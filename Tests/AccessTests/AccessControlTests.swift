import TestSupport
import Testing
import Usage

@testable import Access

@Suite struct AccessControlTests {
    private let time = ManualTime()

    private func control() -> AccessControl {
        AccessControl(
            settings: AccessSettings(tokens: [
                AccessToken(Secret("first-token"), for: Principal(name: "app", role: .editor)),
                AccessToken(
                    Secret("second-token"),
                    for: Principal(name: "view", role: .viewer, tenant: "acme")),
            ]), time: time)
    }

    private func outcome(
        _ control: AccessControl, _ header: String?, from address: String = "10.0.0.1"
    ) -> String {
        do throws(AccessControl.Refusal) {
            return try control.principal(authorization: header, address: address).name
        } catch { return "\(error)" }
    }

    @Test func `P15 a token is taken as Bearer or as the password of Basic`() {
        let control = control()
        #expect(outcome(control, "Bearer first-token") == "app")
        #expect(outcome(control, "bearer second-token") == "view")
        // x:first-token, x:first-token-and-more
        #expect(outcome(control, "Basic eDpmaXJzdC10b2tlbg==") == "app")
        #expect(outcome(control, "Basic eDpmaXJzdC10b2tlbi1hbmQtbW9yZQ==") == "unknown")
        for header in [
            "", "Bearer", "Bearer ", "Bearer first-toke", "Token first-token", "Basic %",
        ] {
            #expect(outcome(control, header, from: header) == "unknown", "\(header)")
        }
        #expect(outcome(control, nil) == "missing")
    }

    @Test func `without tokens everybody may do everything`() {
        let open = AccessControl(settings: AccessSettings(), time: time)
        #expect(!open.isNeeded && outcome(open, nil) == "anonymous")
        open.configure(
            AccessSettings(tokens: [
                AccessToken(Secret("third-token"), for: Principal(name: "new", role: .admin))
            ]))
        #expect(open.isNeeded && outcome(open, nil) == "missing")
        #expect(outcome(open, "Bearer third-token") == "new")
    }

    @Test func `who guesses is not listened to for a minute, others are`() {
        let control = control()
        for _ in 0..<AccessControl.failuresMax {
            #expect(outcome(control, "Bearer wrong") == "unknown")
        }
        #expect(outcome(control, "Bearer first-token").hasPrefix("tooMany"))
        #expect(outcome(control, "Bearer first-token", from: "10.0.0.2") == "app")
        time.advance(seconds: 59)
        #expect(outcome(control, "Bearer first-token").hasPrefix("tooMany"))
        time.advance(seconds: 2)
        #expect(outcome(control, "Bearer first-token") == "app")
    }

    @Test func `addresses of guesses are forgotten before they fill the memory`() {
        let control = control()
        for index in 0...AccessControl.addressesMax {
            #expect(outcome(control, "Bearer wrong", from: "a\(index)") == "unknown")
        }
        #expect(outcome(control, "Bearer first-token", from: "a0") == "app")
    }

    @Test func `a token is kept as its hash and prints no secret`() {
        let token = AccessToken(Secret("first-token"), for: Principal(name: "a", role: .viewer))
        #expect(token.digest.count == 32 && !"\(token)".contains("first-token"))
        #expect(Role.viewer < .editor && Role.editor < .admin && !(Role.admin < .editor))
    }
}
