"""How is another release of a package tried, beside everything else that is installed?"""
