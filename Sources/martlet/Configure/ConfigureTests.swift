// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-qtest -qtest-log`.
  mutating func configureTests() throws(OptionError) {
    guard let text = options.tests.qtest, text != "none" else { return }
    var test = TestProtocolConfiguration(port: try port(text, option: "-qtest"))
    test.log = options.tests.qtestLog
    configuration.testProtocol = test
  }
}
