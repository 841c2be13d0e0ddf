"""Takes the configurations out of nats-server's own tests: raw strings of its *_test.go, and its configs folders.

Their text is never kept in this tree: the Go module is found in the module cache, or fetched by go, and copied into a folder that the
caller gives, so that the relative paths in the files (certificates, includes) lead somewhere. Used by test_corpus.py.
"""
import os
import re
import shutil
import subprocess

MODULE = 'github.com/nats-io/nats-server/v2@v2.15.2'
# What a printf verb may stand for: a value that suits where it is likely to be.
VERBS = (
    (re.compile(r'%%'), '%'),
    (re.compile(r'(?<=:)\s*%d'), ' -1'),
    (re.compile(r'%\+?d'), '4222'),
    (re.compile(r'%t'), 'true'),
    (re.compile(r'%q'), '"word"'),
    (re.compile(r'%[+#]?[svV]'), 'word'),
    (re.compile(r'%\.?\d*f'), '0.5'),
)
TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|`([^`]*)`', re.S)


def module_folder():
    """The source of nats-server, or None where it cannot be had."""
    try:
        cache = subprocess.run(['go', 'env', 'GOMODCACHE'], capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        cache = ''
    folder = os.path.join(cache or os.path.expanduser('~/go/pkg/mod'), MODULE)
    if not os.path.isdir(folder) and cache:
        subprocess.run(['go', 'mod', 'download', MODULE], cwd='/', capture_output=True, timeout=600,
                       env={**os.environ, 'GO111MODULE': 'on', 'GOFLAGS': '-mod=mod'})
    return folder if os.path.isdir(folder) else None


def raw_strings(path):
    """The strings between backquotes in a Go file."""
    with open(path, encoding='utf-8') as file:
        return [found for found in TOKENS.findall(file.read()) if found]


def looks_like_configuration(text):
    """Not JSON payloads, messages, Go code or regular expressions: something with keys in it, and no line of Go."""
    if not 4 <= len(text) <= 60000 or '\0' in text or 'func ' in text or text.lstrip().startswith(('-----', 'eyJ', '<')):
        return False
    return re.search(r'[A-Za-z_"\'}\]]\s*[:={]', text) is not None or re.search(r'^\s*[a-z_]+\s+\S+\s*$', text, re.M) is not None


def filled(text):
    """The text with its printf verbs replaced."""
    for pattern, value in VERBS:
        text = pattern.sub(value, text)
    return text


def copy_tree(folder):
    """Copies the parts of the module that configurations refer to; gives the folder to run in."""
    source = module_folder()
    if source is None:
        return None
    for part in ('server/configs', 'test/configs', 'conf'):
        shutil.copytree(os.path.join(source, part), os.path.join(folder, part), dirs_exist_ok=True)
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            os.chmod(os.path.join(root, name), 0o755)
    return os.path.join(folder, 'server')


def texts():
    """{name: text} of all raw strings that look like configurations, each text once, with and without verbs filled in."""
    source = module_folder()
    found = {}
    for root, _, files in sorted(os.walk(source)):
        for name in sorted(files):
            if not name.endswith('_test.go'):
                continue
            for number, text in enumerate(raw_strings(os.path.join(root, name))):
                if not looks_like_configuration(text):
                    continue
                label = '%s:%d' % (name, number)
                found.setdefault(text, label)
                if '%' in text:
                    found.setdefault(filled(text), label + ':filled')
    return {label: text for text, label in found.items()}


def files(folder):
    """Paths of all configuration files in the copied tree, relative to the folder to run in."""
    found = []
    for root, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith('.conf'):
                found.append(os.path.relpath(os.path.join(root, name), os.path.join(folder, 'server')))
    return found
