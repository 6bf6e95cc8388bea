// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import Testing

@testable import martlet

/// What is made from the declarations, tried with the programs it is for where they are installed.
@Suite struct GenerateTests {
  private struct Outcome {
    let status: Int32
    let output: String
  }

  private func run(_ program: String, _ arguments: [String], input: String) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let (given, got) = (Pipe(), Pipe())
    process.standardInput = given
    process.standardOutput = got
    process.standardError = got
    try process.run()
    DispatchQueue.global().async {
      given.fileHandleForWriting.write(Data(input.utf8))
      given.fileHandleForWriting.closeFile()
    }
    let output = String(decoding: got.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return Outcome(status: process.terminationStatus, output: output)
  }

  @Test(.enabled(if: access("/usr/bin/groff", X_OK) == 0, "needs the package groff-base"))
  func theManualIsOne() throws {
    let checked = try run(
      "/usr/bin/groff", ["-man", "-ww", "-K", "utf8", "-T", "ascii", "-P", "-cbou"], input: Manual.text)
    #expect(checked.status == 0 && !checked.output.contains("warning"), "\(checked.output.prefix(2000))")
    for option in OptionTable.declarations {
      for spelling in option.spellings { #expect(checked.output.contains(spelling), "\(spelling)") }
    }
  }

  private func complete(_ line: String) throws -> Set<String> {
    let script =
      ShellCompletion.bash + """

        COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
        _martlet
        if [[ ${#COMPREPLY[@]} != 0 ]]; then printf '%s\\n' "${COMPREPLY[@]}"; fi
        """
    let path = "/tmp/martlet-completion-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    defer { unlink(path) }
    try script.write(toFile: path, atomically: false, encoding: .utf8)
    let result = try run("/bin/bash", [path, line], input: "")
    #expect(result.status == 0, "\(result.output)")
    return Set(result.output.split(separator: "\n").map(String.init))
  }

  @Test(.enabled(if: access("/bin/bash", X_OK) == 0))
  func bashCompletes() throws {
    #expect(try complete("martlet -hd") == ["-hda", "-hdb", "-hdc", "-hdd"])
    #expect(try complete("martlet x.img -no-").isSuperset(of: ["-no-acpi", "-no-reboot"]))
    #expect(try complete("martlet -accel so") == ["soft"])
    #expect(try complete("martlet --accel s") == ["soft"])
    #expect(try complete("martlet -device ide-").isSuperset(of: ["ide-hd", "ide-cd"]))
    // What is before the last '=' or ':' stays as it is typed; before the comma it does not.
    #expect(
      try complete("martlet -drive file=x,med")
        == ["media=cdrom", "media=disk"].map { "x," + $0 }.reduce(into: []) { $0.insert($1) })
    #expect(try complete("martlet -serial std") == ["stdio"])
    #expect(try complete("martlet -help dr") == ["drives"])
    #expect(try complete("martlet -hda /etc/host").contains("/etc/hosts"))
    #expect(try complete("martlet -drive file=/etc/host").contains("/etc/hosts"))
    #expect(try complete("martlet /etc/host").contains("/etc/hosts"))
    #expect(try complete("martlet -m ").isEmpty)
  }

  @Test func everyOptionIsInEveryScript() {
    for option in OptionTable.declarations {
      for spelling in option.spellings {
        #expect(ShellCompletion.bash.contains(spelling) && ShellCompletion.zsh.contains(spelling))
        #expect(ShellCompletion.fish.contains(" \(spelling.drop { $0 == "-" }) -d"))
      }
    }
  }
}
