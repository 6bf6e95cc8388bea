// SPDX-License-Identifier: GPL-2.0-or-later

/// Completion of command lines by shells, made from the declarations of the options.
///
/// The parser makes such scripts, too; they know neither options with one dash nor properties behind commas.
enum ShellCompletion {
  private static var head: String {
    "# SPDX-License-Identifier: GPL-2.0-or-later\n# Made by 'martlet --generate'.\n"
  }

  private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

  private static func quotedList(_ words: [String]) -> String { quoted(words.joined(separator: " ")) }

  // MARK: bash

  static var bash: String {
    var text =
      head + """

        # Completes $cur from words; with a comma in it, what is behind the last one. Bash takes '=' and ':' for ends of
        # words, so what is before the last of those is left off.
        _martlet_words() {
          local first=$1 keys=$2 done= rest=$cur
          if [[ $cur == *,* && -n $keys ]]; then
            done=${cur%,*}, rest=${cur##*,} first=$keys
          fi
          local before=
          if [[ $cur == *[=:]* ]]; then before=${cur%"${cur##*[=:]}"}; fi
          COMPREPLY=()
          local word
          for word in $(compgen -W "$first" -- "$rest"); do
            word=$done$word
            COMPREPLY+=("${word#"$before"}")
          done
          # Something follows what ends in one of these.
          if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:./] ]] || [[ -n $keys ]]; then
            compopt -o nospace 2>/dev/null
          fi
        }

        # Completes the name of a file behind the last '=' or ':' of $cur.
        _martlet_files() {
          compopt -o filenames 2>/dev/null
          local IFS=$'\\n'
          COMPREPLY=($(compgen "$1" -- "${cur##*[=:]}"))
        }

        _martlet() {
          # The words as blanks separate them.
          local line=${COMP_LINE:0:COMP_POINT}
          local words=($line) cur= prev=
          if [[ $line == *[[:blank:]] ]]; then words+=(''); fi
          local last=$((${#words[@]} - 1))
          cur=${words[last]}
          if ((last > 1)); then prev=${words[last - 1]}; fi
          case $prev in

        """
    for option in OptionTable.declarations where option.valueName != nil {
      let action: String
      switch OptionValues.kind(of: option) {
      case .file: action = "_martlet_files -f"
      case .directory: action = "_martlet_files -d"
      case .words(let words): action = "_martlet_words \(quotedList(words)) ''"
      case .properties(let first, let keys):
        // The value of a property that names a file.
        action =
          "if [[ $cur =~ (^|,)(file|path|file\\.filename|logfile|kernel|initrd)=[^,]*$ ]]; then _martlet_files -f; "
          + "else _martlet_words \(quotedList(first.isEmpty ? keys : first)) \(quotedList(keys)); fi"
      case .text: action = ":"
      }
      let names = option.spellings + option.spellings.filter { !$0.hasPrefix("--") }.map { "-" + $0 }
      text += "    \(names.joined(separator: "|"))) \(action); return ;;\n"
    }
    let topics = Help.topicNames
    text += "    -help|--help) _martlet_words \(quotedList(topics)) ''; return ;;\n"
    let names = OptionTable.declarations.flatMap(\.spellings) + ["-help"]
    text += """
        esac
        if [[ $cur == -* ]]; then
          _martlet_words \(quotedList(names)) ''
        else
          _martlet_files -f
        fi
      }
      complete -F _martlet martlet

      """
    return text
  }

  // MARK: zsh

  static var zsh: String {
    func escaped(_ text: String) -> String {
      var result = ""
      for character in text {
        if "[]:\\".contains(character) { result.append("\\") }
        result.append(character)
      }
      return result
    }
    var text = "#compdef martlet\n" + head + "\n_arguments -S \\\n"
    for option in OptionTable.declarations {
      let action: String
      switch OptionValues.kind(of: option) {
      case .file: action = "_files"
      case .directory: action = "_files -/"
      case .words(let words): action = "(" + words.map(escaped).joined(separator: " ") + ")"
      case .properties(let first, let keys):
        let all = (first + keys).map { $0.hasSuffix("=") ? String($0.dropLast()) : $0 }
        action =
          "_values -s , property "
          + Set(all.filter { !$0.contains("=") && !$0.isEmpty && $0 != ":" }).sorted().map(escaped).joined(
            separator: " ")
      case .text: action = " "
      }
      for spelling in option.spellings {
        // An option with one dash and a value may be given again.
        let about = escaped(option.about.prefix { $0 != "\n" && $0 != ";" }.description)
        let value = option.valueName.map { ":\(escaped($0)):\(action)" } ?? ""
        text += "  " + quoted("\(option.isRepeating ? "*" : "")\(spelling)[\(about)]\(value)") + " \\\n"
      }
    }
    text += "  '-help[Help, also on a topic]:topic:(\(Help.topicNames.joined(separator: " ")))' \\\n"
    return text + "  '*:disk image:_files'\n"
  }

  // MARK: fish

  static var fish: String {
    func quoted(_ text: String) -> String {
      "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
    var text = head + "\n"
    for option in OptionTable.declarations {
      for spelling in option.spellings {
        let name = spelling.drop { $0 == "-" }
        // Fish has a form for options with one dash and a long name.
        let kind = spelling.hasPrefix("--") ? "-l" : name.count == 1 ? "-s" : "-o"
        var line =
          "complete -c martlet \(kind) \(name) -d \(quoted(option.about.prefix { $0 != "\n" && $0 != ";" }.description))"
        if option.valueName != nil {
          switch OptionValues.kind(of: option) {
          case .file: line += " -r -F"
          case .directory: line += " -x -a '(__fish_complete_directories)'"
          case .words(let words): line += " -x -a \(quoted(words.joined(separator: " ")))"
          case .properties(let first, let keys):
            line += " -r -a \(quoted((first.isEmpty ? keys : first).joined(separator: " ")))"
          case .text: line += " -x"
          }
        }
        text += line + "\n"
      }
    }
    text +=
      "complete -c martlet -o help -x -a \(quoted(Help.topicNames.joined(separator: " "))) -d 'Help, also on a topic'\n"
    return text
  }
}
